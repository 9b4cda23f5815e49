"""Tokens let in whom they should, for what they were made, as often as they may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from tests.api.conftest import Caller, CallerOf
from tests.factories import ClientFactory, SeatFactory

from lockstep.api.application import api
from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Client, HistoryEntry
from lockstep.apps.integrations.models import AccessToken
from lockstep.apps.integrations.scopes import Scope
from lockstep.apps.integrations.services import create_token, revoke_token, spend_call

pytestmark = pytest.mark.django_db


class TestWhoIsLetIn:
    def test_a_good_token(self, call: Caller) -> None:
        assert call("GET", "/clients") == (
            200,
            {"next": None, "total": 0, "total_is_exact": True, "items": []},
        )

    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer lockstep_wrong", "Basic abc", "Bearer \u00e9"])
    def test_without_one_the_answer_says_what_to_send(self, call: Caller, header: str) -> None:
        answer = call.http.get("/api/v1/clients", headers={"Authorization": header} if header else {})
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"] == 'Bearer realm="Lockstep"'
        assert "access token" in answer.json()["detail"]

    def test_a_session_is_no_token(self, call: Caller) -> None:
        call.http.force_login(call.seat.user)
        assert call.http.get("/api/v1/clients").status_code == 401

    def test_expired_revoked_and_orphaned_tokens_open_nothing(self, caller_of: CallerOf) -> None:
        expired, revoked, left, disabled = (caller_of() for _ in range(4))
        AccessToken.objects.filter(user=expired.seat.user).update(expires_at=timezone.now())
        revoke_token(revoked.seat.actor(), token_id=AccessToken.objects.get(user=revoked.seat.user).pk)
        left.seat.delete()
        disabled.seat.user.is_active = False
        disabled.seat.user.save()
        for caller in (expired, revoked, left, disabled):
            assert caller("GET", "/clients")[0] == 401

    def test_a_token_never_allows_more_than_its_person_may_do_now(self, caller_of: CallerOf) -> None:
        caller = caller_of()
        caller.seat.role = Role.READ_ONLY
        caller.seat.save()
        status, problem = caller("POST", "/clients", {"name": "Acme"})
        assert (status, problem["title"]) == (403, "Not allowed")
        assert not Client.objects.exists()

    def test_the_secret_is_not_kept(self, call: Caller) -> None:
        token = AccessToken.objects.get(user=call.seat.user)
        assert call.secret.startswith(token.hint)
        assert call.secret.encode() not in bytes(token.digest)
        assert call.secret not in str(HistoryEntry.objects.values())


class TestScopes:
    NEEDED: dict[str, Scope] = {
        "list_clients": Scope.BOOK_READ,
        "add_client": Scope.BOOK_WRITE,
        "upsert_clients": Scope.BOOK_WRITE,
        "upsert_one_client": Scope.BOOK_WRITE,
        "read_client": Scope.BOOK_READ,
        "change_client": Scope.BOOK_WRITE,
        "remove_client": Scope.BOOK_DELETE,
        "bring_client_back": Scope.BOOK_DELETE,
        "list_contacts": Scope.BOOK_READ,
        "add_contact": Scope.BOOK_WRITE,
        "upsert_contacts": Scope.BOOK_WRITE,
        "upsert_one_contact": Scope.BOOK_WRITE,
        "read_contact": Scope.BOOK_READ,
        "change_contact": Scope.BOOK_WRITE,
        "remove_contact": Scope.BOOK_DELETE,
        "bring_contact_back": Scope.BOOK_DELETE,
        "read_list": Scope.BOOK_READ,
        "read_tags": Scope.BOOK_READ,
        "read_people": Scope.BOOK_READ,
        "read_history": Scope.BOOK_READ,
        "list_syncs": Scope.SYNC_READ,
        "list_standings": Scope.SYNC_READ,
        "read_contact_sync": Scope.SYNC_READ,
        "start": Scope.SYNC_MANAGE,
        "stop": Scope.SYNC_MANAGE,
        "read_again": Scope.SYNC_MANAGE,
        "try_again": Scope.SYNC_MANAGE,
    }

    def test_every_call_needs_exactly_its_scope(self, caller_of: CallerOf) -> None:
        """With every other scope the door stays shut; a call that is new fails for want of a line."""
        seat = SeatFactory()
        without = {
            scope: caller_of(seat, [other for other in Scope if other is not scope])
            for scope in set(self.NEEDED.values())
        }
        found = set()
        for path, operations in api.get_openapi_schema(path_prefix="")["paths"].items():
            for method, operation in operations.items():
                name = operation["operationId"]
                found.add(name)
                place = path.format(
                    kind=_first_choice(operation),
                    client_id=1,
                    contact_id=1,
                    subject_id=1,
                    sync_id=1,
                    external_id="x",
                )
                status, problem = without[self.NEEDED[name]](method.upper(), place, {})
                assert status == 403, name
                assert f"“{self.NEEDED[name].value}”" in problem["detail"]
        assert found == set(self.NEEDED)


def _first_choice(operation: dict[str, Any]) -> str:
    choices = [parameter["schema"].get("enum") for parameter in operation["parameters"]]
    return next((choice[0] for choice in choices if choice), "client")


class TestAllowance:
    def test_a_sixth_at_once_then_as_time_goes_by(self, call: Caller) -> None:
        token = AccessToken.objects.get(user=call.seat.user)
        now = timezone.now()
        waits = [spend_call(token.pk, now, a_minute=60).wait for _ in range(12)]
        assert waits[:10] == [0.0] * 10
        assert waits[10] == waits[11] == pytest.approx(1.0)
        assert spend_call(token.pk, now + timedelta(seconds=1), a_minute=60).wait == 0
        assert spend_call(token.pk, now + timedelta(seconds=1), a_minute=60).wait == pytest.approx(1.0)

    def test_a_clock_that_goes_back_gives_nothing_away(self, call: Caller) -> None:
        token = AccessToken.objects.get(user=call.seat.user)
        now = timezone.now()
        for _ in range(10):
            spend_call(token.pk, now, a_minute=60)
        assert spend_call(token.pk, now - timedelta(hours=1), a_minute=60).wait == pytest.approx(1.0)

    def test_too_many_calls_are_told_when_to_go_on(self, call: Caller, settings: Settings) -> None:
        settings.LOCKSTEP_API_RATE = 6
        assert call("GET", "/people")[0] == 200
        answer = call.raw("GET", "/people")
        assert answer.status_code == 429
        assert 1 <= int(answer["Retry-After"]) <= 10


class TestMakingThem:
    def test_only_who_manages_the_company(self) -> None:
        for role in set(Role) - {Role.ADMIN}:
            with pytest.raises(NotPermitted):
                create_token(SeatFactory(role=role).actor(), name="x", scopes=[Scope.BOOK_READ], days=1)

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"name": " "}, "name"),
            ({"scopes": ["root"]}, "scopes"),
            ({"days": 0}, "days"),
            ({"days": 9999}, "days"),
        ],
    )
    def test_what_is_wrong_is_said(self, values: dict[str, Any], field: str) -> None:
        good: dict[str, Any] = {"name": "CRM", "scopes": [Scope.BOOK_READ], "days": 30}
        with pytest.raises(Invalid) as caught:
            create_token(SeatFactory().actor(), **good | values)
        assert list(caught.value.fields) == [field]

    def test_another_companys_token_can_not_be_revoked(self, call: Caller) -> None:
        token = AccessToken.objects.get(user=call.seat.user)
        with pytest.raises(NotFound):
            revoke_token(SeatFactory().actor(), token_id=token.pk)
        assert call("GET", "/people")[0] == 200

    def test_history_tells_who_made_and_revoked_it(self, call: Caller) -> None:
        token = AccessToken.objects.get(user=call.seat.user)
        revoke_token(call.seat.actor(), token_id=token.pk)
        revoke_token(call.seat.actor(), token_id=token.pk)
        entries = HistoryEntry.objects.filter(subject_kind="token", subject_id=token.pk).order_by("id")
        assert [(entry.action, entry.user) for entry in entries] == [
            ("created", call.seat.user),
            ("revoked", call.seat.user),
        ]


def test_own_clients_only_holds_for_tokens_too(caller_of: CallerOf) -> None:
    """A person who was limited after the token was made sees only their own clients by it."""
    seat = SeatFactory()
    caller = caller_of(seat)
    ClientFactory(company=seat.company, name="Somebody else's")
    ClientFactory(company=seat.company, name="Own", rep=seat.user)
    seat.own_clients_only = True
    seat.save()
    _, page = caller("GET", "/clients")
    assert [client["name"] for client in page["items"]] == ["Own"]
