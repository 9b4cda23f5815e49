"""The sync window: five tabs that add up, causes in words, progress that ends, and its buttons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from tests.factories import ConnectionFactory, ContactFactory, MailchimpAccountFactory, SeatFactory
from tests.web.test_structure import check

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, SyncEvent, SyncRun
from lockstep.core.errors import BrokenKind
from lockstep.core.member import SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.web.failures import BROKEN, FAILURES
from lockstep.web.sync.history import STATE_LOOKS
from lockstep.web.sync.window import time_left

BrowserOf = Callable[[Seat], Browser]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(db: None) -> Seat:
    return SeatFactory()


@pytest.fixture
def link(admin: Seat) -> Connection:
    account = MailchimpAccountFactory(company=admin.company)
    return ConnectionFactory(
        account=account,
        mode=Connection.Mode.ON,
        list_name="Main list",
        signup_url="https://eepurl.example/abc",
        first_started_at=timezone.now(),
    )


def record(
    link: Connection, state: SyncState, kind: str = "", text: str = "", **contact: Any
) -> MemberRecord:
    return MemberRecord.objects.create(
        company=link.company,
        connection=link,
        contact=ContactFactory(company=link.company, **contact),
        reason="fits",
        state=state.value,
        refusal_kind=kind,
        refusal_text=text,
        refused_at=timezone.now() if kind else None,
    )


def run_of(link: Connection, state: SyncRun.State, **values: Any) -> SyncRun:
    kind = values.pop("kind", SyncRun.Kind.START)
    return SyncRun.objects.create(company=link.company, connection=link, kind=kind, state=state, **values)


def window(link: Connection, query: str = "") -> str:
    return reverse("sync:window", args=[link.pk]) + query


@pytest.mark.parametrize("kind", list(RefusalKind))
def test_every_refusal_has_words_and_steps(kind: RefusalKind) -> None:
    words = FAILURES[kind]
    assert all((words.title, words.means, *words.steps))
    assert words.steps


@pytest.mark.parametrize("kind", list(BrokenKind))
def test_every_trouble_has_words_and_a_way_back(kind: BrokenKind) -> None:
    assert all((BROKEN[kind].title, BROKEN[kind].todo))


def test_every_state_of_a_run_has_a_look() -> None:
    assert set(STATE_LOOKS) == {state.value for state in SyncRun.State}


def test_the_five_counts_are_the_tabs_and_add_up(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    for number, state in enumerate(SyncState, start=1):
        for _ in range(number):
            record(link, state)
    page = browser_of(admin).get(window(link))
    assert [count for _, count in page.context["counts"].items()] == [1, 2, 3, 4, 5]
    assert page.context["total"] == 15
    assert "Of 15 contacts, 1 synced, 2 pending, 3 failed, 4 archived, 5 unsubscribed" in page.text


@pytest.mark.parametrize("state", list(SyncState))
def test_each_tab_lists_its_contacts_only(
    admin: Seat, browser_of: BrowserOf, link: Connection, state: SyncState
) -> None:
    rows = {other: record(link, other, last_name=f"Of{other.value}") for other in SyncState}
    record(ConnectionFactory(), state, last_name="Foreigner")
    browser = browser_of(admin)
    for headers in ({}, HTMX):
        page = browser.get(window(link, f"?tab={state.value}&list=1"), headers=headers)
        assert f"Of{state.value}" in page.text
        assert reverse("book:contact", args=[rows[state].contact_id]) in page.text
        assert all(f"Of{other.value}" not in page.text for other in SyncState if other is not state)
        assert "Foreigner" not in page.text
        assert ("<html" in page.text) is (not headers)


def test_failures_are_grouped_with_words_steps_and_mailchimps_own(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    for _ in range(8):
        record(link, SyncState.FAILED, "fake_address", "x@y looks <fake> or invalid")
    record(link, SyncState.FAILED, "compliance", "is in a compliance state")
    page = browser_of(admin).get(window(link, "?tab=failed"))
    first, second = page.context["causes"]
    assert (first.group.count, len(first.group.rows), first.more, second.group.count) == (8, 6, 2, 1)
    assert "Mailchimp thinks the e-mail address is not real" in page.text
    assert "looks &lt;fake&gt; or invalid" in page.text
    assert "A retry does not help" in page.text
    assert f"{window(link)}?tab=failed&amp;list=1&amp;kind=fake_address" in page.text
    narrowed = browser_of(admin).get(window(link, "?tab=failed&list=1&kind=compliance"))
    assert narrowed.context["page"].total == 1


def test_search_and_order(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    record(link, SyncState.SYNCED, first_name="Dana", last_name="Zeller")
    record(link, SyncState.SYNCED, first_name="Owen", last_name="Abel")
    page = browser_of(admin).get(window(link, "?q=zell"))
    assert [row.name for row in page.context["page"].rows] == ["Dana Zeller"]
    page = browser_of(admin).get(window(link, "?sort=name"))
    assert [row.name for row in page.context["page"].rows] == ["Owen Abel", "Dana Zeller"]


@pytest.mark.parametrize("number", [1, 3])
def test_the_list_asks_a_constant_number_of_queries(
    admin: Seat, browser_of: BrowserOf, link: Connection, number: int, django_assert_max_num_queries: Any
) -> None:
    for _ in range(number):
        record(link, SyncState.SYNCED)
    browser = browser_of(admin)
    browser.get(window(link))
    with django_assert_max_num_queries(24):
        browser.get(window(link))


def test_archived_tells_the_way_back(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    page = browser_of(admin).get(window(link, "?tab=archived"))
    assert 'href="https://eepurl.example/abc"' in page.text
    assert "Retry archived/deleted" in page.text


def test_csv_is_safe_and_complete(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    record(link, SyncState.FAILED, "forgotten", "was permanently deleted", first_name='=HYPERLINK("x")')
    record(link, SyncState.SYNCED, last_name="Elsewhere")
    answer = browser_of(admin).get(reverse("sync:members_csv", args=[link.pk]) + "?tab=failed")
    sheet = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert "\"'=HYPERLINK(" in sheet
    assert "Permanently deleted in Mailchimp" in sheet
    assert "was permanently deleted" in sheet
    assert "Elsewhere" not in sheet


@pytest.mark.parametrize("state", [*SyncRun.State, None])
@pytest.mark.parametrize("tab", list(SyncState))
def test_every_page_is_well_built(
    admin: Seat, browser_of: BrowserOf, link: Connection, state: SyncRun.State | None, tab: SyncState
) -> None:
    for one in SyncState:
        record(link, one, "other" if one is SyncState.FAILED else "")
    run = run_of(link, state, plan={"guards": [{"text": "Too many."}]}) if state else None
    browser = browser_of(admin)
    check(browser.get(window(link, f"?tab={tab.value}")).text)
    check(browser.get(window(link, f"?tab={tab.value}&list=1")).text)
    check(browser.get(reverse("sync:history", args=[link.pk])).text)
    if run:
        check(browser.get(reverse("sync:run", args=[link.pk, run.pk])).text)


def test_a_run_is_shown_polls_and_ends(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    run = run_of(
        link,
        SyncRun.State.SYNCING,
        total=200,
        done=50,
        refused=5,
        started_at=timezone.now() - timedelta(seconds=20),
        syncing_at=timezone.now() - timedelta(seconds=10),
    )
    contact = ContactFactory(company=admin.company, first_name="Hana", last_name="Kim")
    SyncEvent.objects.create(
        company=admin.company, connection=link, run=run, contact_id=contact.pk, kind="updated",
        differing={"position": ["", "CEO"]},
    )  # fmt: skip
    browser = browser_of(admin)
    page = browser.get(window(link))
    assert 'hx-trigger="every 1s"' in page.text
    assert (page.context["share"], page.context["good"], page.context["to_go"]) == (25, 45, 150)
    assert "Hana Kim" in page.text
    assert "Position" in page.text
    fragment = browser.get(window(link, f"?run={run.pk}"), headers=HTMX)
    assert fragment.text.lstrip().startswith("<section")
    assert 'aria-valuenow="25"' in fragment.text
    run.state = SyncRun.State.FINISHED
    run.save()
    ended = browser.get(window(link, f"?run={run.pk}"), headers=HTMX)
    assert ended["HX-Refresh"] == "true"
    assert 'class="stabs"' in browser.get(window(link)).text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.2, "about 1 s left"), (25, "about 25 s left"), (600, "about 10 min left")],
)
def test_time_left(seconds: float | None, words: str) -> None:
    assert time_left(seconds) == words


def test_a_plan_that_trips_a_guard_waits_for_a_person(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    run = run_of(
        link,
        SyncRun.State.WAITING,
        fingerprint="f1",
        plan={"adds": 1, "guards": [{"name": "many_updates", "text": "900 of 1,000 would be changed."}]},
    )
    browser = browser_of(admin)
    page = browser.get(window(link))
    assert "900 of 1,000 would be changed." in page.text
    assert "every 1s" not in page.text
    browser.post(reverse("sync:confirm", args=[link.pk, run.pk]))
    run.refresh_from_db()
    assert (run.state, run.approved) == (SyncRun.State.QUEUED, "f1")
    assert "It is right, go on" not in browser.get(window(link)).text


def test_no_sends_nothing(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    run = run_of(link, SyncRun.State.WAITING)
    browser_of(admin).post(reverse("sync:dismiss", args=[link.pk]))
    run.refresh_from_db()
    assert run.state == SyncRun.State.STOPPED


def test_retry_asks_again_for_its_own_tab_only(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    failed, archived = record(link, SyncState.FAILED, "other", "x"), record(link, SyncState.ARCHIVED)
    browser = browser_of(admin)
    browser.post(reverse("sync:retry", args=[link.pk]), {"which": "failed"})
    failed.refresh_from_db()
    archived.refresh_from_db()
    assert (failed.asked, archived.asked) == (True, False)
    assert SyncRun.objects.get().kind == SyncRun.Kind.RETRY
    again = browser.post(reverse("sync:retry", args=[link.pk]), {"which": "archived"}, follow=True)
    assert "Another run is under way" in again.text


def test_retry_of_one_contact(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    one, other = record(link, SyncState.FAILED, "other", "x"), record(link, SyncState.FAILED, "other", "y")
    browser_of(admin).post(
        reverse("sync:retry", args=[link.pk]), {"which": "failed", "contact": one.contact_id}
    )
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.asked, other.asked) == (True, False)


def test_stop_refresh_and_start(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    browser = browser_of(admin)
    browser.post(reverse("sync:refresh", args=[link.pk]))
    assert SyncRun.objects.get().kind == SyncRun.Kind.REFRESH
    SyncRun.objects.all().delete()
    browser.post(reverse("sync:stop", args=[link.pk]))
    link.refresh_from_db()
    assert link.mode == Connection.Mode.OFF
    page = browser.get(window(link))
    assert "Start Sync" in page.text
    assert "Stop the sync?" not in page.text
    browser.post(reverse("sync:start", args=[link.pk]))
    link.refresh_from_db()
    assert link.mode == Connection.Mode.ON


def test_unsubscribed_can_be_flagged(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    gone, stays = record(link, SyncState.UNSUBSCRIBED), record(link, SyncState.SYNCED)
    browser = browser_of(admin)
    assert "Flag all as No Marketing" in browser.get(window(link, "?tab=unsubscribed")).text
    browser.post(reverse("sync:no_marketing", args=[link.pk]))
    gone.contact.refresh_from_db()
    stays.contact.refresh_from_db()
    assert (gone.contact.no_marketing, stays.contact.no_marketing) == (True, False)
    assert gone.contact.no_marketing_reason == "Unsubscribed in Mailchimp (Main list)"


def test_a_paused_sync_says_why(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    link.broken_kind, link.broken_text = BrokenKind.AUDIENCE_GONE.value, "Resource Not Found"
    link.save()
    page = browser_of(admin).get(window(link))
    assert "The audience is gone" in page.text
    assert "Resource Not Found" in page.text
    assert "Paused" in page.text


def test_history_and_one_run(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    run = run_of(
        link, SyncRun.State.FAILED, added=3, refused=2, error_kind="key_revoked", error_text="API Key Invalid"
    )
    browser = browser_of(admin)
    page = browser.get(reverse("sync:history", args=[link.pk]))
    assert reverse("sync:run", args=[link.pk, run.pk]) in page.text
    assert "Could not go on" in page.text
    one = browser.get(reverse("sync:run", args=[link.pk, run.pk]))
    assert "Mailchimp no longer accepts our login" in one.text
    assert "API Key Invalid" in one.text
    assert browser.get(reverse("sync:run", args=[link.pk, run.pk + 999])).status_code == 404


def test_index_leads_to_the_audience_at_work(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    ConnectionFactory(account=link.account)
    assert browser_of(admin).get(reverse("sync:index"))["Location"] == window(link)


def test_without_a_sync_people_are_told(db: None, browser_of: BrowserOf) -> None:
    assert "No sync yet" in browser_of(SeatFactory(role=Role.SALES)).get(reverse("sync:index")).text
    assert browser_of(SeatFactory()).get(reverse("sync:index"))["Location"] == reverse("mailchimp:index")


ACTIONS = ["refresh", "retry", "stop", "start", "dismiss"]


@pytest.mark.parametrize("name", ACTIONS)
def test_only_who_manages_the_company_acts(
    admin: Seat, browser_of: BrowserOf, link: Connection, name: str
) -> None:
    seat = SeatFactory(company=admin.company, role=Role.SALES)
    answer = browser_of(seat).post(reverse(f"sync:{name}", args=[link.pk]), {"which": "failed"})
    assert answer.status_code == 403
    link.refresh_from_db()
    assert link.mode == Connection.Mode.ON
    assert not SyncRun.objects.exists()


def test_sales_may_look_but_sees_no_buttons(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    record(link, SyncState.FAILED, "other", "x")
    page = browser_of(SeatFactory(company=admin.company, role=Role.SALES)).get(window(link, "?tab=failed"))
    assert page.status_code == 200
    assert "Stop Sync" not in page.text
    assert "Retry" not in page.text.replace("A retry", "").replace("choose Retry", "")


def test_people_limited_to_their_clients_do_not_see_everybody(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    seat = SeatFactory(company=admin.company, role=Role.SALES, own_clients_only=True)
    assert browser_of(seat).get(window(link)).status_code == 403


@pytest.mark.parametrize("name", ["window", "members_csv", "history", *ACTIONS, "no_marketing"])
def test_nothing_of_another_company_is_there(admin: Seat, browser_of: BrowserOf, name: str) -> None:
    foreign = ConnectionFactory(mode=Connection.Mode.ON)
    browser = browser_of(admin)
    send = browser.get if name in {"window", "members_csv", "history"} else browser.post
    assert send(reverse(f"sync:{name}", args=[foreign.pk])).status_code == 404
    foreign.refresh_from_db()
    assert foreign.mode == Connection.Mode.ON
    assert not SyncRun.objects.exists()
