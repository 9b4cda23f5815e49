"""Pages of lists and tags."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ContactFactory,
    ListValueFactory,
    SeatFactory,
    TagFactory,
)

from lockstep.apps.accounts.models import Seat
from lockstep.apps.book.models import Change, Client, Contact, ListValue, Tag

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Seat], Browser]
INDUSTRIES = "/settings/lists/industries"


@pytest.fixture
def seat() -> Seat:
    return SeatFactory()


@pytest.fixture
def browser(seat: Seat, browser_of: BrowserOf) -> Browser:
    return browser_of(seat)


def values(seat: Seat, *names: str) -> list[ListValue]:
    return [
        ListValueFactory(company=seat.company, kind=ListValue.Kind.INDUSTRY, name=name, position=place)
        for place, name in enumerate(names, start=1)
    ]


def order(seat: Seat) -> str:
    return "".join(
        ListValue.objects.filter(company=seat.company).order_by("position").values_list("name", flat=True)
    )


def test_a_list_shows_who_uses_a_value_and_what_mailchimp_gets(seat: Seat, browser: Browser):
    ConnectionFactory(company=seat.company, account__company=seat.company, prefix="ABC")
    [value] = values(seat, "Long " + "word " * 18)
    for _ in range(3):
        ClientFactory(company=seat.company, industry=value)
    page = browser.get(INDUSTRIES).content.decode()
    assert "3 clients" in page
    assert f'href="/clients?industry={value.pk}"' in page
    assert "ABC_IND" in page
    assert "ABC Industry" in page


def test_add_rename_retire_and_back(seat: Seat, browser: Browser):
    browser.post(f"{INDUSTRIES}/add", {"name": "Mining"})
    value = ListValue.objects.get(company=seat.company)
    again = browser.post(f"{INDUSTRIES}/add", {"name": "MINING"})
    assert (again.status_code, "already" in again.content.decode()) == (422, True)
    assert "Mining" in browser.get(f"{INDUSTRIES}/{value.pk}/edit").content.decode()
    browser.post(f"{INDUSTRIES}/{value.pk}/rename", {"name": "Quarries"})
    empty = browser.post(f"{INDUSTRIES}/{value.pk}/rename", {"name": " "})
    assert empty.status_code == 422
    browser.post(f"{INDUSTRIES}/{value.pk}/retire")
    value.refresh_from_db()
    assert (value.name, value.retired) == ("Quarries", True)
    assert "Bring back" in browser.get(INDUSTRIES).content.decode()
    browser.post(f"{INDUSTRIES}/{value.pk}/retire", {"back": "1"})
    value.refresh_from_db()
    assert not value.retired


def test_a_status_has_a_sign(seat: Seat, browser: Browser):
    browser.post("/settings/lists/statuses/add", {"name": "Gold", "glyph": "star"})
    value = ListValue.objects.get(company=seat.company)
    assert value.glyph == "star"
    browser.post(f"/settings/lists/statuses/{value.pk}/rename", {"name": "Gold", "glyph": "half"})
    value.refresh_from_db()
    assert value.glyph == "half"
    wrong = browser.post("/settings/lists/statuses/add", {"name": "X", "glyph": "<b>"})
    assert wrong.status_code == 422


def test_values_move_by_arrows_and_by_dropping(seat: Seat, browser: Browser):
    a, b, c = values(seat, "a", "b", "c")
    browser.post(f"{INDUSTRIES}/{c.pk}/move", {"to": "up"})
    assert order(seat) == "acb"
    browser.post(f"{INDUSTRIES}/{c.pk}/move", {"to": "up"})
    browser.post(f"{INDUSTRIES}/{c.pk}/move", {"to": "up"})
    assert order(seat) == "cab"
    browser.post(f"{INDUSTRIES}/order", {"value": [b.pk, a.pk, c.pk]})
    assert order(seat) == "bac"
    browser.post(f"{INDUSTRIES}/{c.pk}/move", {"to": "down"})
    assert order(seat) == "bac"
    stale = browser.post(f"{INDUSTRIES}/order", {"value": [b.pk, 2_000_000_000]})
    assert (stale.status_code, order(seat)) == (422, "bac")


def test_merged_values_move_their_clients_in_one_statement_and_wake_the_sync(seat: Seat, browser: Browser):
    old, new = values(seat, "old", "new")
    for _ in range(3):
        ClientFactory(company=seat.company, industry=old)
    Change.objects.all().delete()
    page = browser.get(f"{INDUSTRIES}/{old.pk}/merge").content.decode()
    assert "3 clients" in page
    assert browser.post(f"{INDUSTRIES}/{old.pk}/merge", {}).status_code == 422
    assert browser.post(f"{INDUSTRIES}/{old.pk}/merge", {"into": old.pk}).status_code == 422
    browser.post(f"{INDUSTRIES}/{old.pk}/merge", {"into": new.pk})
    assert Client.objects.filter(industry=new).count() == 3
    assert not ListValue.objects.filter(pk=old.pk).exists()
    assert Change.objects.filter(kind=Change.Kind.CLIENT).count() == 3


def test_tags_are_added_renamed_merged_and_deleted(seat: Seat, browser: Browser):
    tags = "/settings/lists/contact-tags"
    browser.post(f"{tags}/add", {"name": "VIP"})
    vip = Tag.objects.get(company=seat.company)
    assert (vip.kind, vip.name) == (Tag.Kind.CONTACT, "VIP")
    assert browser.post(f"{tags}/add", {"name": "vip"}).status_code == 422
    assert browser.post(f"{tags}/add", {"name": "a, b"}).status_code == 422
    other = TagFactory(company=seat.company, name="Other")
    contact = ContactFactory(company=seat.company, tag_ids=[vip.pk])
    browser.post(f"{tags}/{vip.pk}/rename", {"name": "Very important"})
    assert "Very important" in browser.get(tags).content.decode()
    browser.post(f"{tags}/{vip.pk}/merge", {"into": other.pk})
    contact.refresh_from_db()
    assert contact.tag_ids == [other.pk]
    browser.post(f"{tags}/{other.pk}/delete")
    assert Contact.objects.get(pk=contact.pk).tag_ids == []
    assert not Tag.objects.filter(company=seat.company).exists()


def test_what_is_of_another_kind_is_not_there(seat: Seat, browser: Browser):
    [value] = values(seat, "a")
    tag = TagFactory(company=seat.company)
    for path in (
        f"/settings/lists/departments/{value.pk}/retire",
        f"{INDUSTRIES}/{value.pk}/delete",
        f"/settings/lists/client-tags/{tag.pk}/delete",
        f"/settings/lists/contact-tags/{tag.pk}/retire",
        "/settings/lists/contact-tags/order",
        "/settings/lists/nonsense/add",
    ):
        assert browser.post(path, {"name": "x"}).status_code == 404, path
    assert ListValue.objects.filter(pk=value.pk, retired=False).exists()


def test_htmx_gets_the_list_alone(seat: Seat, browser: Browser):
    a, _ = values(seat, "a", "b")
    answer = browser.post(f"{INDUSTRIES}/{a.pk}/move", {"to": "down"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert '<div class="stack s5" id="values">' in page
    assert "<html" not in page
    assert f'id="down-{a.pk}"' in page, "the focused button is there again under its name"


def test_names_are_shown_not_run(seat: Seat, browser: Browser):
    values(seat, "<script>alert(1)</script>")
    assert "<script>alert" not in browser.get(INDUSTRIES).content.decode()
