"""Lists and pages: what is found, in which order, page by page, in how many queries, and for whom."""

import pytest
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import Client, ClientAddress, ListValue, Tag
from lockstep.apps.book.queries import (
    ClientFilter,
    ContactFilter,
    client_details,
    clients_page,
    contact_details,
    contacts_page,
    filters,
    finding,
    history_page,
    list_values,
    reps,
    sidebar_counts,
    tags,
)
from lockstep.apps.book.services import save_client, save_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return SeatFactory().actor()


@pytest.fixture
def kestrel(actor):
    """A client with one contact, and a second client that must never be found by what fits the first."""
    kestrel = ClientFactory(company=actor.company, name="Kestrel Outdoor Co.", account_number="K-1007")
    ContactFactory(
        client=kestrel,
        first_name="Lucía",
        last_name="O’Dell-Łukasik",
        email="lucy.odell@kestrel.example.net",
        phone="+1 303 555-0142",
    )
    other = ClientFactory(company=actor.company, name="Oakline Builders")
    ContactFactory(client=other, first_name="Dana", last_name="Lux", email="dana@oakline.example.net")
    ContactFactory(first_name="Lucía", client__name="Kestrel elsewhere")
    return kestrel


@pytest.mark.parametrize(
    "text",
    [
        "kestrel",
        "KESTR",
        "outd kest",
        "k-1007",
        "lucia",
        "Lucía",
        "luc lukas",
        "o'dell",
        "odell",
        "lucy.odell@kestrel.example.net",
        "lucy.ode",
        "303 555 0142",
        "3035550142",
        "kestrel lucia",
        "lucia outdoor",
        "  lucia  ",
    ],
)
def test_search_finds_clients_and_contacts_by_the_beginnings_of_words(actor, kestrel, text):
    assert [row.name for row in clients_page(actor, ClientFilter(search=text)).rows] == [kestrel.name]
    assert [row.first_name for row in contacts_page(actor, ContactFilter(search=text)).rows] == ["Lucía"]


@pytest.mark.parametrize("text", ["strel", "kestrel dana", "oakline lucia", "lucia lucinda", "\\", "a:b & c"])
def test_what_does_not_fit_is_not_found(actor, kestrel, text):
    if text == "\\":  # punctuation alone narrows nothing
        assert clients_page(actor, ClientFilter(search=text)).total == 2
    else:
        assert clients_page(actor, ClientFilter(search=text)).rows == ()
        assert contacts_page(actor, ContactFilter(search=text)).rows == ()


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "%", "\x00", "\ud800", "'':* & |!()<->", "🎁", "\u202e", "x" * 5000]
)
def test_nothing_typed_breaks_the_search(actor, kestrel, text):
    clients_page(actor, ClientFilter(search=text))
    contacts_page(actor, ContactFilter(search=text))


@pytest.mark.parametrize("text", ["d", "da", "dana", "kestrel", "kestrel dana"])
@pytest.mark.parametrize("limits", [(3, 0), (3, 4), (3, 100), (100, 4)])
@pytest.mark.parametrize("sort", ["name", "-changed"])
def test_a_search_that_fits_many_finds_every_row_in_order_whichever_way_it_is_read(
    actor, monkeypatch, text, limits, sort
):
    for n, client_name in enumerate(("Kestrel", "Kestrel two", "Oakline Dana")):
        client = ClientFactory(company=actor.company, name=client_name)
        for m in range(5):
            last = "Danaher" if n == m else f"Zimmer{m}"
            ContactFactory(client=client, first_name="Dana" if m % 2 else "Ruth", last_name=last)
    rows = filters.filtered_contacts(actor, ContactFilter(search=text), whole=True)
    field = "name_key" if sort == "name" else "-updated_at"
    expected = list(rows.order_by(field, "-id" if field[0] == "-" else "id").values_list("id", flat=True))
    clients = set(
        filters.filtered_clients(actor, ClientFilter(search=text), whole=True).values_list("id", flat=True)
    )
    monkeypatch.setattr(finding, "COUNT_LIMIT", limits[0])
    monkeypatch.setattr(finding, "WALK", limits[1])

    seen, cursor = [], None
    while True:
        page = contacts_page(actor, ContactFilter(search=text), sort=sort, size=2, cursor=cursor)
        seen += [row.id for row in page.rows]
        assert page.total == len(expected) if page.total_is_exact else page.total <= len(expected)
        if page.next is None:
            break
        cursor = page.next
    assert seen == expected
    back = contacts_page(actor, ContactFilter(search=text), sort=sort, size=2, cursor=page.previous)
    assert [row.id for row in back.rows] == expected[: -len(page.rows)][-2:]
    found = clients_page(actor, ClientFilter(search=text), sort=sort)
    assert len(found.rows) == len(clients)
    assert {row.id for row in found.rows} == clients


def test_a_narrowed_list_is_counted_no_further_than_anybody_reads(actor, monkeypatch):
    monkeypatch.setattr(filters, "COUNT_LIMIT", 2)
    for _n in range(3):
        ClientFactory(company=actor.company)
    page = clients_page(actor, ClientFilter(active=True))
    assert (len(page.rows), page.total, page.total_is_exact) == (3, 2, False)
    assert clients_page(actor).total == 3


@pytest.mark.parametrize("sort", ["name", "-name", "changed", "-changed"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_forwards_and_back_hold_every_row_once(actor, sort, size):
    for name in ("b", "A", "c", "Á", "e", "d", "f"):
        save_client(actor, name=name)
    Client.objects.filter(name__in=["b", "c", "d"]).update(updated_at=Client.objects.get(name="b").updated_at)
    every = [row.id for row in clients_page(actor, sort=sort, size=200).rows]
    assert len(every) == 7

    seen, firsts, page = [], [], clients_page(actor, sort=sort, size=size)
    while True:
        seen += [row.id for row in page.rows]
        firsts.append(page.first)
        assert page.total == 7
        if page.next is None:
            break
        page = clients_page(actor, sort=sort, size=size, cursor=page.next)
    assert seen == every
    assert firsts == list(range(1, 8, size))

    back = [row.id for row in page.rows]
    while page.previous is not None:
        page = clients_page(actor, sort=sort, size=size, cursor=page.previous)
        back = [row.id for row in page.rows] + back
    assert back == every
    assert page.first == 1


def test_names_sort_folded(actor):
    for name in ("zebra", "Ärmel", "Apple", "banana"):
        save_client(actor, name=name)
    assert [row.name for row in clients_page(actor, sort="name").rows] == [
        "Apple",
        "Ärmel",
        "banana",
        "zebra",
    ]


@pytest.mark.parametrize("cursor", ["nonsense", "W10", "é", "WzEsMl0", "x" * 9000, "WzAsIlx1MDAwMCIsMSwxXQ"])
def test_a_broken_cursor_gives_the_first_page(actor, kestrel, cursor):
    assert clients_page(actor, cursor=cursor).first == 1
    assert clients_page(actor, cursor=cursor, sort="name").first == 1


def test_filters_are_or_within_a_kind_and_and_between_kinds(actor):
    active, lead = (ListValueFactory(company=actor.company, name=name) for name in ("Active", "Lead"))
    retail = ListValueFactory(company=actor.company, kind=ListValue.Kind.INDUSTRY)
    vip = TagFactory(company=actor.company, kind=Tag.Kind.CLIENT)
    a = ClientFactory(company=actor.company, name="a", status=active, industry=retail, tag_ids=[vip.pk])
    b = ClientFactory(company=actor.company, name="b", status=lead, active=False)
    c = ClientFactory(company=actor.company, name="c", rep=actor.user)
    contact = {
        client.name: ContactFactory(client=client, first_name=client.name, no_marketing=client is c)
        for client in (a, b, c)
    }
    contact["b"].email = "broken"
    contact["b"].save()

    def clients(**wanted):
        return [row.name for row in clients_page(actor, ClientFilter(**wanted), sort="name").rows]

    def contacts(**wanted):
        return sorted(row.first_name for row in contacts_page(actor, ContactFilter(**wanted)).rows)

    for found in (clients, contacts):
        assert found() == ["a", "b", "c"]
        assert found(status_ids=[active.pk]) == ["a"]
        assert found(status_ids=[active.pk, lead.pk]) == ["a", "b"]
        assert found(status_ids=[0]) == ["c"]
        assert found(status_ids=[0, lead.pk]) == ["b", "c"]
        assert found(status_ids=[active.pk, lead.pk], industry_ids=[retail.pk]) == ["a"]
        assert found(rep_ids=[actor.user.pk]) == ["c"]
    assert clients(tag_ids=[vip.pk]) == contacts(client_tag_ids=[vip.pk]) == ["a"]
    assert clients(tag_ids=[0]) == contacts(client_tag_ids=[0]) == ["b", "c"]
    assert clients(active=False) == ["b"]
    assert contacts(no_marketing=True) == ["c"]
    assert contacts(has_email=False) == ["b"]
    assert contacts(client_id=a.pk) == ["a"]
    assert contacts(department_ids=[0], contact_tag_ids=[0]) == ["a", "b", "c"]


def test_a_client_row_tells_place_figures_and_main_contact(actor):
    client = save_client(
        actor, name="Kestrel", tags=["B", "A"], address={"city": "Boulder", "state": "Colorado"}
    )
    ContactFactory(client=client, first_name="No", last_name="Mail", email="")
    main = ContactFactory(client=client, first_name="Dana", last_name="Whitfield")
    ContactFactory(client=client, no_marketing=True)
    (row,) = clients_page(actor).rows
    assert (row.place, row.contacts, row.no_marketing) == ("Boulder, Colorado", 3, 1)
    assert (row.main_contact.id, row.main_contact.name) == (main.pk, "Dana Whitfield")
    assert [tag.name for tag in row.tags] == ["B", "A"]


@pytest.mark.parametrize("rows", [1, 3])
def test_queries_do_not_grow_with_the_rows(actor, rows, django_assert_num_queries):
    status = ListValueFactory(company=actor.company)
    tag = TagFactory(company=actor.company)
    for n in range(rows):
        client = ClientFactory(
            company=actor.company,
            status=status,
            rep=SeatFactory(company=actor.company).user,
            tag_ids=[tag.pk],
        )
        ClientAddress.objects.create(company=actor.company, client=client, city=f"Town {n}")
        ContactFactory(client=client, first_name="Dana", tag_ids=[tag.pk])
    contact_id = client.contacts.get().pk
    with django_assert_num_queries(8):  # three of them read what was typed
        assert len(clients_page(actor, ClientFilter(search="dana")).rows) == rows
    with django_assert_num_queries(6):
        assert len(contacts_page(actor, ContactFilter(search="dana")).rows) == rows
    with django_assert_num_queries(4):
        client_details(actor, client.pk)
    with django_assert_num_queries(3):
        contact_details(actor, contact_id)
    with django_assert_num_queries(4):
        sidebar_counts(actor)
    with django_assert_num_queries(3):
        reps(actor)
    with django_assert_num_queries(2):
        list_values(actor, ListValue.Kind.STATUS)


def test_details_of_a_contact_fall_back_to_the_client_s_address(actor):
    client = save_client(
        actor, name="Kestrel", address={"state": "Colorado", "postal_code": "80302", "city": "B"}
    )
    contact = save_contact(actor, client_id=client.pk, email="dana@kestrel.example.net")
    details = contact_details(actor, contact.pk)
    assert details.name == "dana@kestrel.example.net"
    assert details.address.lines == ("B, Colorado 80302",)
    save_contact(actor, contact_id=contact.pk, country="Canada")
    assert contact_details(actor, contact.pk).address.lines == ("Canada",)


@pytest.mark.parametrize(
    ("website", "link"),
    [
        ("kestrel.example.net/shop", "https://kestrel.example.net/shop"),
        ("HTTPS://kestrel.example.net", "HTTPS://kestrel.example.net"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("call us", ""),
    ],
)
def test_only_web_addresses_become_links(actor, website, link):
    client = save_client(actor, name="Kestrel", website=website)
    assert client_details(actor, client.pk).website_link == link


def test_counts_of_choices(actor):
    active = ListValueFactory(company=actor.company, name="Active", position=1, glyph="full")
    ListValueFactory(company=actor.company, name="Old", position=2, retired=True)
    vip = TagFactory(company=actor.company, kind=Tag.Kind.CLIENT, name="VIP")
    mine = ClientFactory(company=actor.company, status=active, tag_ids=[vip.pk], rep=actor.user)
    ClientFactory(company=actor.company, status=active)
    ContactFactory(client=mine)
    ContactFactory()
    assert [(r.name, r.glyph, r.count) for r in list_values(actor, ListValue.Kind.STATUS)] == [
        ("Active", "full", 2)
    ]
    assert len(list_values(actor, ListValue.Kind.STATUS, retired=True)) == 2
    assert [(r.name, r.count) for r in tags(actor, Tag.Kind.CLIENT)] == [("VIP", 1)]
    assert [(r.id, r.count) for r in reps(actor)] == [(actor.user.pk, 1)]
    counts = sidebar_counts(actor)
    assert (counts.clients, counts.contacts) == (2, 1)


def test_people_limited_to_own_clients_see_no_trace_of_others(actor):
    seat = SeatFactory(company=actor.company, role=Role.SALES, own_clients_only=True)
    limited = seat.actor()
    status = ListValueFactory(company=actor.company)
    own = ClientFactory(company=actor.company, rep=seat.user, status=status, name="Own")
    foreign = ClientFactory(company=actor.company, status=status, name="Foreign")
    own_contact, foreign_contact = ContactFactory(client=own), ContactFactory(client=foreign)
    save_contact(actor, contact_id=foreign_contact.pk, position="Secret")

    assert [row.id for row in clients_page(limited).rows] == [own.pk]
    assert clients_page(limited, ClientFilter(search="foreign")).total == 0
    assert [row.id for row in contacts_page(limited).rows] == [own_contact.pk]
    assert list_values(limited, ListValue.Kind.STATUS)[0].count == 1
    assert [row.id for row in reps(limited)] == [seat.user_id]
    assert sidebar_counts(limited).contacts == 1
    assert history_page(limited, subject="contact", subject_id=foreign_contact.pk).rows == ()
    for read, key in ((client_details, foreign.pk), (contact_details, foreign_contact.pk)):
        with pytest.raises(NotFound):
            read(limited, key)


def test_history_reads_newest_first_with_labels(actor):
    client = save_client(actor, name="Kestrel", account_number="1")
    save_client(actor, client_id=client.pk, account_number="2")
    newest, oldest = history_page(actor, subject="client", subject_id=client.pk).rows
    assert (newest.who, newest.action, newest.changes) == (
        actor.user.full_name,
        "changed",
        (("Account number", "1", "2"),),
    )
    assert oldest.action == "created"
