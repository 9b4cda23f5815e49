"""Search forgives typing mistakes, finds by tags, and by telephone numbers however they are written."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import ClientFactory, CompanyFactory, ContactFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.permissions import Actor, Role
from lockstep.apps.book.models import Client, Contact, SearchWord, Tag
from lockstep.apps.book.queries import ClientFilter, ContactFilter, clients_page, contacts_page
from lockstep.apps.book.queries.selection import Selection
from lockstep.apps.book.queries.spelling import likeliest, mistakes_in, respelled, typo_keys
from lockstep.apps.book.services import BulkEdit, preview_bulk_edit


@pytest.fixture
def actor(db: None) -> Actor:
    actor: Actor = SeatFactory(role=Role.MANAGER).actor()
    client = ClientFactory(company=actor.company, name="Kestrel Outdoor Co.")
    ContactFactory(
        client=client,
        first_name="Johanna",
        last_name="Müller-Whitfield",
        email="j.whitfield@kestrel.example.net",
        phone="+1 (303) 555-0142",
    )
    ContactFactory(client=ClientFactory(company=actor.company, name="Low Lantern"), first_name="John")
    return actor


def found(actor: Actor, text: str) -> list[str]:
    return sorted(row.first_name for row in contacts_page(actor, ContactFilter(search=text)).rows)


MISTYPED = {
    "a letter wrong": "kestral",
    "a letter missing": "kestel",
    "the first letter missing": "estrel",
    "a letter doubled": "kestrrel",
    "letters swapped": "ksetrel",
    "typed half": "kesrte",
    "a name": "jonhanna",
    "without the accent, and wrong": "mulelr",
    "two mistakes in a long word": "wihtfeild",
    "an address": "whitfeld@kestrel.example",
    "one word wrong, one right": "johanna outdor",
    "in any case": "KESTRAL",
}


@pytest.mark.parametrize("name", MISTYPED)
def test_mistyped_words_find_what_was_meant(actor: Actor, name: str) -> None:
    assert found(actor, MISTYPED[name]) == ["Johanna"]


@pytest.mark.parametrize("text", ["kostral", "xyzzy", "jo hx", "kst", "wihtfeild lantern"])
def test_what_is_too_far_off_finds_nothing(actor: Actor, text: str) -> None:
    assert found(actor, text) == []


def test_what_is_spelled_right_finds_only_itself(actor: Actor) -> None:
    ContactFactory(company=actor.company, first_name="Kestral")
    assert found(actor, "kestral") == ["Kestral"]


@pytest.mark.parametrize(
    "text", ["3035550142", "303 555 0142", "(303) 555-0142", "+1 303-555-01", "303.555.0142"]
)
def test_telephone_numbers_however_written(actor: Actor, text: str) -> None:
    assert found(actor, text) == ["Johanna"]


def test_tags_alone_and_with_other_words(actor: Actor) -> None:
    vip = TagFactory(company=actor.company, kind=Tag.Kind.CONTACT, name="Café fans")
    gold = TagFactory(company=actor.company, kind=Tag.Kind.CLIENT, name="Gold")
    Contact.objects.filter(first_name="Johanna").update(tag_ids=[vip.pk])
    Client.objects.filter(name="Low Lantern").update(tag_ids=[gold.pk])
    assert found(actor, "cafe") == ["Johanna"]
    assert found(actor, "johanna fans") == ["Johanna"]
    assert found(actor, "john fans") == []
    assert found(actor, "gold") == ["John"]
    assert found(actor, "gold john") == ["John"]
    names = [row.name for row in clients_page(actor, ClientFilter(search="gold lantern")).rows]
    assert names == ["Low Lantern"]
    assert [row.name for row in clients_page(actor, ClientFilter(search="cafe")).rows] == [
        "Kestrel Outdoor Co."
    ]


def test_what_a_bulk_edit_takes_is_what_the_list_shows(actor: Actor) -> None:
    chosen = Selection(wanted=ContactFilter(search="kestral"), everything=True)
    edit = BulkEdit(subject="contact", sets={"active": False})
    assert preview_bulk_edit(actor, chosen, edit).total == 1


def test_words_are_learned_from_every_way_of_writing(actor: Actor) -> None:
    def known() -> set[str]:
        return set(SearchWord.objects.filter(company=actor.company).values_list("word", flat=True))

    contact = Contact.objects.get(first_name="John")
    Contact.objects.filter(pk=contact.pk).update(last_name="Zephyrine")
    assert "zephyrine" in known()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE book_client SET name = 'Borealis 77b Xy' WHERE name = 'Low Lantern'")
    assert "borealis" in known()
    assert not {"77b", "xy"} & known()
    before = SearchWord.objects.count()
    Contact.objects.update(active=False)
    assert SearchWord.objects.count() == before
    assert found(actor, "zephirine") == ["John"]


def test_another_company_s_words_are_not_known(actor: Actor) -> None:
    stranger = CompanyFactory()
    ClientFactory(company=stranger, name="Quetzalcoatl")
    assert respelled(actor.company.pk, ["quetzalcoatk"]) == {}
    assert respelled(stranger.pk, ["quetzalcoatk"]) == {"quetzalcoatk": ("quetzalcoatl",)}


CLOSE: list[tuple[str, str, int]] = [
    ("kestrel", "kestrel", 0),
    ("kest", "kestrel", 0),
    ("kestral", "kestrel", 1),
    ("ksetrel", "kestrel", 1),
    ("kestrels", "kestrel", 1),
    ("lestrel", "kestrel", 1),
    ("kestrle", "kestrel", 1),
    ("owl", "kestrel", 3),
]


@pytest.mark.parametrize(("word", "meant", "mistakes"), CLOSE)
def test_mistakes(word: str, meant: str, mistakes: int) -> None:
    assert mistakes_in(word, meant) == mistakes


def test_the_closest_comes_first() -> None:
    assert likeliest("kestral", ["kestrels", "kestrel", "kestrelss", "pelican"])[0] == "kestrel"
    assert len(likeliest("aaaa", [f"aaa{letter}" for letter in "bcdefghijk"])) == 6


WORDS = st.text("abcde", min_size=4, max_size=12)


@given(WORDS, st.data())
def test_one_mistake_always_leaves_a_key_in_common(word: str, data: Any) -> None:
    """The keys as migration 0007 makes them, of the word, against those looked for, of the mistyped one."""
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcde"))
    typed = data.draw(
        st.sampled_from(
            [
                word[:place] + letter + word[place + 1 :],
                word[:place] + word[place + 1 :],
                word[:place] + letter + word[place:],
                word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
            ]
        )
    )
    if len(typed) < 4:
        return
    stored = {
        key
        for part in (word[:5], word[:7])
        for key in (part, *(part[:n] + part[n + 1 :] for n in range(len(part))))
    }
    assert stored & set(typo_keys(typed))
    assert mistakes_in(typed, word) <= 1


def test_the_database_makes_the_same_keys(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT lockstep_typo_keys(7, 'kestrel'), lockstep_typo_keys(7, 'owl')")
        long, short = cursor.fetchone()
    assert {f"7:{key}" for key in typo_keys("kestrel")} <= set(long)
    assert set(short) == {f"7:{key}" for key in typo_keys("owl")}
