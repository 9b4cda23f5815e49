"""The book through the API: what goes in comes out the same, once, and wrong values are named."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.api.conftest import Caller, CallerOf
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.book.models import Client, Contact, HistoryEntry, ListValue, Tag

pytestmark = pytest.mark.django_db

ADDRESS = {
    "line1": "1 Main St",
    "line2": "Floor 2",
    "city": "Boulder",
    "state": "CO",
    "postal_code": "80302",
    "country": "USA",
}


@pytest.fixture
def lists(call: Caller) -> None:
    company = call.seat.company
    ListValueFactory(company=company, kind=ListValue.Kind.STATUS, name="Active")
    ListValueFactory(company=company, kind=ListValue.Kind.INDUSTRY, name="Printing")
    ListValueFactory(company=company, kind=ListValue.Kind.DEPARTMENT, name="Buying")


def whole_client(call: Caller) -> dict[str, Any]:
    return {
        "name": "Acme",
        "external_id": "crm-1",
        "account_number": "A-1",
        "status": "Active",
        "industry": "Printing",
        "rep_email": call.seat.user.email,
        "tags": ["VIP", "Trade show"],
        "website": "acme.example",
        "phone": "+1 303 555 0100",
        "notes": "Two\nlines",
        "active": True,
        "address": ADDRESS,
    }


def whole_contact(client: dict[str, Any]) -> dict[str, Any]:
    return {
        "client_id": client["id"],
        "external_id": "crm-c1",
        "first_name": "Ada",
        "last_name": "Example",
        "position": "Buyer",
        "email": "ada@acme.example",
        "phone": "1",
        "extension": "2",
        "cell": "3",
        "fax": "4",
        "department": "Buying",
        "tags": ["Newsletter"],
        "address": ADDRESS,
        "no_marketing": True,
        "no_marketing_reason": "Asked on the phone",
        "active": False,
    }


class TestRoundTrip:
    def test_a_client_comes_out_as_it_went_in(self, call: Caller, lists: None) -> None:
        given = whole_client(call)
        status, made = call("POST", "/clients", given)
        assert status == 201
        assert {name: made[name] for name in given} == given
        assert call("GET", f"/clients/{made['id']}") == (200, made)

    def test_a_contact_comes_out_as_it_went_in(self, call: Caller, lists: None) -> None:
        _, client = call("POST", "/clients", whole_client(call))
        given = whole_contact(client)
        status, made = call("POST", "/contacts", given)
        assert status == 201
        assert {name: made[name] for name in given} == given
        assert made["client_external_id"] == "crm-1"
        assert call("GET", f"/contacts/{made['id']}") == (200, made)

    def test_what_was_read_can_be_sent_back_and_changes_nothing(self, call: Caller, lists: None) -> None:
        _, client = call("POST", "/clients", whole_client(call))
        entries = HistoryEntry.objects.count()
        writable = {name: client[name] for name in whole_client(call)}
        status, answer = call("PUT", "/clients/by-external-id/crm-1", writable)
        assert (status, answer["result"]) == (200, "unchanged")
        assert HistoryEntry.objects.count() == entries

    def test_a_patch_leaves_the_rest(self, call: Caller, lists: None) -> None:
        _, before = call("POST", "/clients", whole_client(call))
        status, after = call("PATCH", f"/clients/{before['id']}", {"address": {"city": "Denver"}, "tags": []})
        assert status == 200
        assert after["address"] == ADDRESS | {"city": "Denver"}
        changed = {name for name in after if after[name] != before[name]}
        assert changed == {"address", "tags", "updated_at"}

    def test_null_and_empty_clear_a_value(self, call: Caller, lists: None) -> None:
        _, made = call("POST", "/clients", whole_client(call))
        _, after = call("PATCH", f"/clients/{made['id']}", {"status": None, "industry": "", "phone": None})
        assert (after["status"], after["industry"], after["phone"]) == ("", "", "")

    def test_delete_and_restore(self, call: Caller) -> None:
        contact = ContactFactory(company=call.seat.company)
        _, gone = call("DELETE", f"/clients/{contact.client_id}")
        assert gone["deleted_at"] is not None
        assert call("GET", f"/contacts/{contact.pk}")[1]["deleted_at"] is not None
        assert call("POST", f"/contacts/{contact.pk}/restore")[0] == 422
        assert call("POST", f"/clients/{contact.client_id}/restore")[1]["deleted_at"] is None
        assert call("GET", f"/contacts/{contact.pk}")[1]["deleted_at"] is None


class TestWrongValues:
    @pytest.mark.parametrize(
        ("given", "fields"),
        [
            ({}, {"name"}),
            ({"name": ""}, {"name"}),
            ({"name": "x" * 300}, {"name"}),
            ({"name": "Acme", "status": "Nope", "rep_email": "x@y.example"}, {"status", "rep_email"}),
            ({"name": "Acme", "nmae": "typo"}, {"nmae"}),
            ({"name": 5}, {"name"}),
            ({"name": "Acme", "company_id": 1}, {"company_id"}),
            ({"name": "Acme", "id": 1, "created_at": "2020-01-01"}, {"id", "created_at"}),
            ({"name": "Acme", "address": {"planet": "Earth"}}, {"address.planet"}),
        ],
    )
    def test_every_wrong_field_is_named_and_nothing_is_saved(
        self, call: Caller, given: dict[str, Any], fields: set[str]
    ) -> None:
        status, problem = call("POST", "/clients", given)
        assert status == 422
        assert {error["field"] for error in problem["errors"]} == fields
        assert not Client.objects.exists()

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"null", b'"x"', b""])
    def test_a_body_that_is_no_object(self, call: Caller, body: bytes) -> None:
        status, problem = call("POST", "/clients", body)
        assert status in {400, 422}
        assert problem["status"] == status

    def test_too_large_a_body(self, call: Caller) -> None:
        status, problem = call("POST", "/clients", b'{"name": "' + b"x" * 20_000_000 + b'"}')
        assert (status, problem["title"]) == (413, "Too large")

    @pytest.mark.parametrize(
        "path", ["/nothing", "/clients/0", "/clients/x", f"/clients/{2**70}", "/lists/other"]
    )
    def test_addresses_of_nothing(self, call: Caller, path: str) -> None:
        answer = call.raw("GET", path)
        assert answer.status_code in {404, 422}


class TestNoMarketing:
    def test_it_is_not_taken_off_in_passing(self, call: Caller) -> None:
        contact = ContactFactory(company=call.seat.company, no_marketing=True, external_id="c1")
        status, answer = call("PUT", "/contacts/by-external-id/c1", {"no_marketing": False, "phone": "5"})
        assert (status, answer["result"]) == (200, "updated")
        assert "No Marketing stays" in answer["warnings"][0]
        assert call("PATCH", f"/contacts/{contact.pk}", {"no_marketing": False})[0] == 422
        contact.refresh_from_db()
        assert (contact.no_marketing, contact.phone) == (True, "5")

    def test_it_is_taken_off_on_the_persons_own_word(self, call: Caller) -> None:
        contact = ContactFactory(company=call.seat.company, no_marketing=True, external_id="c1")
        lifted = {"no_marketing": False, "lift_no_marketing": True}
        assert call("PUT", "/contacts/by-external-id/c1", lifted)[1]["warnings"] == []
        contact.refresh_from_db()
        assert not contact.no_marketing


class TestUpserts:
    def test_a_thousand_in_a_call_each_with_its_own_result(self, call: Caller) -> None:
        client = ClientFactory(company=call.seat.company, external_id="k1")
        ContactFactory(client=client, external_id="c1", email="old@a.example")
        items = [
            {"external_id": f"c{n}", "client_external_id": "k1", "email": f"p{n}@a.example"}
            for n in range(1_000)
        ]
        items[7]["email"] = "not an address"
        items[9]["client_external_id"] = "nowhere"
        status, answer = call("POST", "/contacts/bulk", {"items": items})
        assert status == 200
        assert {word: answer[word] for word in ("created", "updated", "unchanged", "refused")} == {
            "created": 997,
            "updated": 1,
            "unchanged": 0,
            "refused": 2,
        }
        assert [item["position"] for item in answer["items"]] == list(range(1_000))
        refused = [item for item in answer["items"] if item["result"] == "refused"]
        assert [(item["external_id"], item["errors"][0]["field"]) for item in refused] == [
            ("c7", "email"),
            ("c9", "client_external_id"),
        ]
        assert Contact.objects.filter(client=client).count() == 998
        _, again = call("POST", "/contacts/bulk", {"items": items})
        assert (again["unchanged"], again["refused"]) == (998, 2)

    def test_more_than_a_thousand_are_refused_as_a_whole(self, call: Caller) -> None:
        items = [{"external_id": str(n), "name": str(n)} for n in range(1_001)]
        status, problem = call("POST", "/clients/bulk", {"items": items})
        assert (status, problem["errors"][0]["field"]) == (422, "items")
        assert not Client.objects.exists()

    def test_one_that_came_by_hand_is_adopted_not_doubled(self, call: Caller) -> None:
        client = ClientFactory(company=call.seat.company, name="Acme")
        contact = ContactFactory(client=client, email="Ada@Acme.example")
        assert call("PUT", "/clients/by-external-id/k1", {"name": "ACME"})[1]["id"] == client.pk
        given = {"client_external_id": "k1", "email": "ada@acme.example"}
        assert call("PUT", "/contacts/by-external-id/c1", given)[1]["id"] == contact.pk

    def test_two_who_share_a_mailbox_are_not_guessed_between(self, call: Caller) -> None:
        client = ClientFactory(company=call.seat.company)
        pair = [ContactFactory(client=client, email="info@acme.example") for _ in range(2)]
        given = {"client_id": client.pk, "email": "info@acme.example"}
        _, answer = call("PUT", "/contacts/by-external-id/c1", given)
        assert answer["result"] == "created"
        assert answer["id"] not in {contact.pk for contact in pair}

    def test_what_a_person_deleted_is_not_brought_back(self, call: Caller) -> None:
        contact = ContactFactory(company=call.seat.company, external_id="c1")
        call("DELETE", f"/contacts/{contact.pk}")
        status, problem = call("PUT", "/contacts/by-external-id/c1", {"first_name": "Back"})
        assert status == 422
        assert "deleted" in problem["errors"][0]["message"]


class TestIdempotency:
    def test_a_repeated_call_is_done_once_and_answered_the_same(self, call: Caller) -> None:
        first = call.raw("POST", "/clients", {"name": "Acme"}, Idempotency_Key="k-1")
        second = call.raw("POST", "/clients", {"name": "Acme"}, Idempotency_Key="k-1")
        assert (
            (first.status_code, first.content) == (second.status_code, second.content) == (201, first.content)
        )
        assert "Idempotent-Replayed" not in first.headers
        assert second["Idempotent-Replayed"] == "true"
        assert Client.objects.count() == 1

    def test_the_same_key_for_something_else_is_a_mistake(self, call: Caller) -> None:
        call("POST", "/clients", {"name": "Acme"}, Idempotency_Key="k-1")
        status, problem = call("POST", "/clients", {"name": "Other"}, Idempotency_Key="k-1")
        assert (status, problem["errors"][0]["field"]) == (422, "Idempotency-Key")
        assert Client.objects.count() == 1

    def test_a_refused_call_may_be_mended_under_its_key(self, call: Caller) -> None:
        assert call("POST", "/clients", {"name": ""}, Idempotency_Key="k-1")[0] == 422
        assert call("POST", "/clients", {"name": "Acme"}, Idempotency_Key="k-1")[0] == 201

    def test_keys_are_a_tokens_own(self, caller_of: CallerOf) -> None:
        seat = SeatFactory()
        for name in ("Acme", "Other"):
            assert caller_of(seat)("POST", "/clients", {"name": name}, Idempotency_Key="k-1")[0] == 201


class TestLists:
    def test_pages_lead_on_and_miss_nobody(self, call: Caller) -> None:
        for _ in range(7):
            ContactFactory(company=call.seat.company)
        seen, cursor = [], ""
        while cursor is not None:
            _, page = call("GET", f"/contacts?size=3&sort=changed&cursor={cursor}")
            assert page["total"] == 7
            seen += [contact["id"] for contact in page["items"]]
            cursor = page["next"]
        assert sorted(seen) == sorted(Contact.objects.values_list("pk", flat=True))

    def test_what_changed_since(self, call: Caller) -> None:
        _, new = (ContactFactory(company=call.seat.company) for _ in range(2))
        _, changed = call("PATCH", f"/contacts/{new.pk}", {"phone": "1"})
        since = changed["updated_at"].replace("+", "%2B")
        _, page = call("GET", f"/contacts?changed_since={since}")
        assert [contact["id"] for contact in page["items"]] == [new.pk]

    def test_a_page_takes_the_same_number_of_queries_whatever_it_holds(self, call: Caller) -> None:
        counts = []
        for number in (1, 5):
            for _ in range(number):
                client = ClientFactory(company=call.seat.company, rep=call.seat.user)
                tag = TagFactory(company=call.seat.company, kind=Tag.Kind.CONTACT)
                ContactFactory(client=client, tag_ids=[tag.pk])
            with CaptureQueriesContext(
                connection,
            ) as queries:
                call("GET", "/contacts")
                call("GET", "/clients")
            counts.append(len(queries))
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("since", ["0103-04-05T21:15:22%2B17:28", "2026-01-01T00:00:00Z"])
    def test_any_moment_that_exists(self, call: Caller, since: str) -> None:
        assert call("GET", f"/clients?changed_since={since}")[0] == 200

    @pytest.mark.parametrize(
        "since", ["0001-01-01T00:00:00%2B17:28", "9999-12-31T23:00:00-17:28", "2026-01-01T00:00:00", "soon"]
    )
    def test_a_moment_that_can_not_be_is_named(self, call: Caller, since: str) -> None:
        status, problem = call("GET", f"/clients?changed_since={since}")
        assert (status, problem["errors"][0]["field"]) == (422, "changed_since")
