"""Who may open and who may send what: every page by every role (A1).

Written out like the matrix of the services (tests/apps/test_permission_matrix.py): a page that is new fails
here until the table says who may use it. The API has its own, in tests/api.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client as Browser
from tests.factories import SeatFactory
from tests.web.test_isolation import other_company, visit
from tests.web.walking import Address, addresses

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role

R = Role
NOBODY = frozenset[Role]()
EVERYBODY = frozenset(Role)
EDITORS = EVERYBODY - {R.READ_ONLY}
EXPORTERS = frozenset({R.ADMIN, R.MANAGER, R.SALES})
MANAGERS = frozenset({R.ADMIN, R.MANAGER})
ADMINS = frozenset({R.ADMIN})

Who = tuple[frozenset[Role], frozenset[Role]]
"""Who may look (GET) and who may send (POST); nobody where the page does not take it."""

#: Names in words, since most pages of an area are alike: area → (who looks, who sends) → names.
TABLE: dict[str, dict[Who, str]] = {
    "": {(EVERYBODY, NOBODY): "home pulse styleguide"},
    "book:": {
        (EVERYBODY, NOBODY): "clients twin_clients twin_contacts changes change client client_contacts"
        " client_activity nested_contacts contacts contact contact_marketing contact_history contact_row",
        (
            EDITORS,
            EDITORS,
        ): "new_client bulk_clients bulk_contacts new_contact edit_client edit_contact",
        (NOBODY, EDITORS): "distinct_clients distinct_contacts quick_contact undo_bulk undo_change"
        " sync_instead sync_newest no_marketing",
        (MANAGERS, MANAGERS): "merge_clients merge_contacts import import_page",
        (NOBODY, MANAGERS): "delete_client restore_client delete_contact restore_contact",
        (MANAGERS, NOBODY): "refused_file",
        (EXPORTERS, NOBODY): "export_contacts export_contacts_xlsx",
        (NOBODY, ADMINS): "sync_now load_sample remove_sample",
    },
    "account:": {
        (EVERYBODY, EVERYBODY): "profile",
        (EVERYBODY, NOBODY): "security",
        (NOBODY, EVERYBODY): "choose_company end_others end_session",
        (ADMINS, NOBODY): "roles users sign_ins audit audit_csv",
        (ADMINS, ADMINS): "company invite user",
        (NOBODY, ADMINS): "save_roles deactivate reactivate remove_factor resend revoke",
    },
    "lists:": {
        (ADMINS, NOBODY): "index list edit",
        (ADMINS, ADMINS): "merge",
        (NOBODY, ADMINS): "add order rename move retire delete",
    },
    "integrations:": {(ADMINS, ADMINS): "tokens", (NOBODY, ADMINS): "revoke"},
    "mailchimp:": {
        (ADMINS, NOBODY): "index oauth_return audience_choice configure checks dry_run_csv",
        (ADMINS, ADMINS): "duplicates left_out dry_run",
        (NOBODY, ADMINS): "connect connect_key select check disconnect automatic_work count optional start",
    },
    "sync:": {
        (EVERYBODY, NOBODY): "index window history run",
        (EXPORTERS, NOBODY): "members_csv run_csv plan_csv",
        (NOBODY, EDITORS): "no_marketing",
        (NOBODY, ADMINS): "refresh retry stop start confirm dismiss undo end_run",
    },
    "campaigns:": {
        (EVERYBODY, NOBODY): "index clients quiet campaign contacts of_contact",
        (NOBODY, EVERYBODY): "refresh digest",
        (EVERYBODY, ADMINS): "settings",
    },
    "report:": {
        (EVERYBODY, NOBODY): "index view",
        # Only one's own view is there to be shared; who may is in the matrix of the services.
        (NOBODY, EVERYBODY): "save_view rename_view delete_view share_view",
        (EXPORTERS, NOBODY): "csv xlsx",
        (ADMINS, ADMINS): "segment",
    },
}
PAGES = {
    f"{area}{name}": who
    for area, groups in TABLE.items()
    for who, names in groups.items()
    for name in names.split()
}

#: Not pages of a seat: signing in, the API, doors with keys of their own.
ELSEWHERE = ("accounts/", "api/", "healthz", "hooks/", "invitations/", "metrics", "readyz")


def pages() -> list[Address]:
    return [address for address in addresses() if address.name and not address.template.startswith(ELSEWHERE)]


def test_every_page_is_in_the_table() -> None:
    assert {address.name for address in pages()} == PAGES.keys()


@pytest.mark.parametrize("role", list(Role))
def test_roles_and_pages(db: None, browser_of: Callable[[Seat], Browser], role: Role) -> None:
    world = other_company()
    browser, faults = browser_of(SeatFactory(company=world.seat.company, role=role)), []
    for address in pages():
        for method, allowed in zip(("get", "post"), PAGES[address.name], strict=True):
            with transaction.atomic():
                response, _ = visit(browser, method, address.fill(world.mine), None, htmx=False)
                transaction.set_rollback(True)
            said = response.status_code
            if not allowed:
                right = said == 405
            elif role in allowed:
                right = said < 500 and said not in (403, 405)
            else:
                right = said == 403
            if not right:
                faults.append(f"{method} {address.label} answers {said}")
    assert not faults
