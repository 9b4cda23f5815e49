"""What an attacker from outside would try at the doors: the proofs of docs/explanation/security.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser
from django.test import override_settings

from lockstep.apps.accounts.models import User
from lockstep.apps.book.models import Client, Contact
from tests.factories import ClientFactory, CompanyFactory, ContactFactory, SeatFactory
from tests.web.walking import addresses

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

DOCS = Path(__file__).parents[2] / "docs" / "explanation" / "security.md"
PASSWORD = "correct horse battery staple"

UNSIGNED = {"mailchimp-webhook"}
"""Doors for POST that no session and no token against forgery opens, but a secret of their own."""


class Anything(dict[str, object]):
    """A sample for every argument of every path: what is refused first needs no row behind it."""

    def __missing__(self, name: str) -> object:
        return "1" if name.endswith(("id", "36", "pk")) else "nothing"


PATHS = {address.label: address.fill(Anything()) for address in addresses()}


def browser(**more: Any) -> tuple[Browser, User]:
    """Somebody signed in, in a browser that is held to the token against forgery."""
    seat = SeatFactory(**more)
    made = Browser(enforce_csrf_checks=True)
    made.force_login(seat.user, backend="django.contrib.auth.backends.ModelBackend")
    return made, seat.user


def sign_in(at: Browser, email: str, password: str, then: str = "") -> Any:
    return at.post(f"/accounts/login/?next={then}", {"login": email, "password": password, "next": then})


def test_no_form_can_be_sent_from_another_site() -> None:
    """Not one address takes a POST without the token, whoever is signed in."""
    signed_in, _ = browser(role="admin")
    opened = {
        label: answer.status_code
        for label, path in PATHS.items()
        if label not in UNSIGNED and (answer := signed_in.post(path)).status_code not in {403, 404}
    }
    assert opened == {}


def test_no_page_can_be_framed_or_sniffed() -> None:
    signed_in, _ = browser(role="admin")
    loose = []
    for label, path in PATHS.items():
        answer = signed_in.get(path)
        policy = answer.headers.get("Content-Security-Policy", "")
        if answer.headers.get("X-Frame-Options") != "DENY" or "frame-ancestors 'none'" not in policy:
            loose.append(f"{label}: may be framed")
        if answer.headers.get("X-Content-Type-Options") != "nosniff":
            loose.append(f"{label}: may be sniffed")
        if re.search(r"script-src[^;]*(?:unsafe|\*|data:)", policy):
            loose.append(f"{label}: runs inline scripts")
    assert loose == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
    ],
)
def test_signing_in_leads_to_no_other_site(elsewhere: str) -> None:
    user = SeatFactory(user__email="alex@promo.example.net").user
    user.set_password(PASSWORD)
    user.save()
    answer = sign_in(Browser(), user.email, PASSWORD, elsewhere)
    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_a_session_is_renamed_when_somebody_signs_in() -> None:
    """A session that somebody else put into the browser is worth nothing after signing in."""
    user = SeatFactory(user__email="alex@promo.example.net").user
    user.set_password(PASSWORD)
    user.save()
    at = Browser()
    at.get("/accounts/login/")
    session = at.session
    session["planted"] = True
    session.save()
    at.cookies[settings.SESSION_COOKIE_NAME] = planted = session.session_key
    assert sign_in(at, user.email, PASSWORD).status_code == 302
    assert at.session["_auth_user_id"] == str(user.pk)
    assert at.session.session_key != planted
    attacker = Browser()
    attacker.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert attacker.get("/clients")["Location"].startswith("/accounts/login/")


def test_signing_out_ends_the_session_itself() -> None:
    at, _ = browser()
    held = at.cookies[settings.SESSION_COOKIE_NAME].value
    at.handler.enforce_csrf_checks = False
    at.post("/accounts/logout/")
    again = Browser()
    again.cookies[settings.SESSION_COOKIE_NAME] = held
    assert again.get("/clients")["Location"].startswith("/accounts/login/")


def test_nobody_learns_who_has_an_account() -> None:
    """A wrong password and an unknown address get the same answer; so does asking for a new password."""
    SeatFactory(user__email="known@promo.example.net")
    emails = ("known@promo.example.net", "unknown@promo.example.net")

    def without_tokens(answer: Any, email: str) -> tuple[int, str, str]:
        text = re.sub(r'value="[^"]*"|\b[A-Za-z0-9]{64}\b', "", answer.content.decode())
        return answer.status_code, answer.headers.get("Location", ""), text.replace(email, "")

    wrong = [without_tokens(sign_in(Browser(), email, "wrong password"), email) for email in emails]
    assert wrong[0] == wrong[1]
    reset = [
        without_tokens(Browser().post("/accounts/password/reset/", {"email": email}), email)
        for email in emails
    ]
    assert reset[0] == reset[1]
    assert reset[0][0] == 302


def test_a_host_that_is_not_ours_gets_no_page() -> None:
    with override_settings(ALLOWED_HOSTS=["crm.promo.example"]):
        answer = Browser().get("/accounts/login/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()


PLANTED = {
    "id": "1",
    "pk": "1",
    "company": "1",
    "company_id": "1",
    "deleted_at": "2020-01-01",
    "created_at": "2020-01-01",
    "external_id": "planted",
    "search": "planted",
    "address_key": "planted",
    "role": "admin",
    "is_staff": "1",
    "is_superuser": "1",
}


def test_forms_take_no_more_than_they_show() -> None:
    """Fields of the row that the form has not are as if nobody had sent them."""
    seat = SeatFactory(role="admin")
    other = CompanyFactory()
    planted = PLANTED | {"company": str(other.pk), "company_id": str(other.pk)}
    at = Browser()
    at.force_login(seat.user, backend="django.contrib.auth.backends.ModelBackend")
    client = ClientFactory(company=seat.company, name="Kestrel")
    contact = ContactFactory(client=client, first_name="Dana")
    for path, sent in (
        (f"/clients/{client.pk}/edit", {"name": "Kestrel Outdoor", "active": "on"}),
        (f"/contacts/{contact.pk}/edit", {"first_name": "Dana", "last_name": "W", "active": "on"}),
    ):
        assert at.post(path, planted | sent).status_code in {200, 302}, path
    for row in (Client.objects.get(name="Kestrel Outdoor"), Contact.objects.get(last_name="W")):
        before = client if isinstance(row, Client) else contact
        assert (row.pk, row.company_id, row.external_id) == (before.pk, seat.company_id, before.external_id)
        assert (row.deleted_at, row.created_at) == (None, before.created_at)
    at.post("/settings/profile", planted | {"first_name": "Alex", "last_name": "R"})
    seat.refresh_from_db()
    user = User.objects.get(pk=seat.user_id)
    assert (seat.role, seat.company_id) == ("admin", before.company_id)
    assert not getattr(user, "is_staff", False)
    assert not getattr(user, "is_superuser", False)


def test_every_proof_that_the_threat_model_names_exists() -> None:
    named = set(re.findall(r"`(tests/[a-z_/]+\.py)::(\w+)`", DOCS.read_text(encoding="utf-8")))
    assert len(named) > 20
    root = DOCS.parents[2]
    missing = {f"{file}::{name}" for file, name in named if f"def {name}" not in (root / file).read_text()}
    assert missing == set()
