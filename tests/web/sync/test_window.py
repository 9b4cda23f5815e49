"""The sync window: five tabs that add up, causes in words, progress that ends, and its buttons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ContactFactory,
    MailchimpAccountFactory,
    SeatFactory,
)
from tests.web.test_structure import check

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book.models import Contact, HistoryEntry
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, SyncEvent, SyncRun
from lockstep.core.errors import BrokenKind
from lockstep.core.member import SyncState
from lockstep.core.outcome import PASSES_BY_ITSELF, RefusalKind
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


def test_the_page_of_errors_lists_every_kind_as_the_window_says_it() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/mailchimp-errors.md").read_text()
    for kind, failure in FAILURES.items():
        said = [f"### {failure.title}", f"`{kind.value}`. {failure.means}", *failure.steps]
        assert all(words in page for words in said), kind
        assert kind not in PASSES_BY_ITSELF or "tries again by itself after a day" in page
    for trouble, broken in BROKEN.items():
        assert f"### {broken.title}\n\n`{trouble.value}`. {broken.todo}" in page, trouble


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


def test_people_limited_to_their_clients_see_theirs_counted_and_listed(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    seat = SeatFactory(company=admin.company, role=Role.SALES, own_clients_only=True)
    mine = ClientFactory(company=admin.company, rep=seat.user)
    record(link, SyncState.FAILED, "other", "x", client=mine, last_name="Mine")
    for state in SyncState:
        record(link, state, "other" if state is SyncState.FAILED else "", last_name="Theirs")
    browser = browser_of(seat)
    for query in ("?tab=failed", "?tab=failed&list=1", "?tab=synced"):
        page = browser.get(window(link, query))
        assert [count for _, count in page.context["counts"].items()] == [0, 0, 1, 0, 0]
        assert "Theirs" not in page.text
        assert ("Mine" in page.text) is ("failed" in query)
        assert "Contacts of your clients only" in page.text
    rows = browser.get(reverse("sync:members_csv", args=[link.pk]), {"tab": "failed"})
    body = b"".join(rows.streaming_content).decode()
    assert ("Mine" in body, "Theirs" in body) == (True, False)
    # What counts everybody's is not for them: a run's progress, and the history of runs.
    run_of(link, SyncRun.State.SYNCING, total=40, done=12)
    page = browser.get(window(link))
    assert page.context["counts"][SyncState.FAILED] == 1
    assert "A sync is under way" in page.text
    assert browser.get(reverse("sync:history", args=[link.pk])).status_code == 403


def test_unsubscribed_are_flagged_in_bulk_and_only_ones_own(
    admin: Seat, browser_of: BrowserOf, link: Connection, django_assert_max_num_queries: Any
) -> None:
    seat = SeatFactory(company=admin.company, role=Role.SALES, own_clients_only=True)
    mine = ClientFactory(company=admin.company, rep=seat.user)
    own = [record(link, SyncState.UNSUBSCRIBED, client=mine).contact for _ in range(3)]
    other = record(link, SyncState.UNSUBSCRIBED).contact
    browser_of(seat).post(reverse("sync:no_marketing", args=[link.pk]))
    assert set(Contact.objects.filter(no_marketing=True)) == set(own)
    notes = HistoryEntry.objects.filter(subject_kind="contact", subject_id__in=[c.pk for c in own])
    assert [note.changes["no_marketing"] for note in notes] == [["no", "yes"]] * 3
    browser = browser_of(admin)
    for _ in range(30):
        record(link, SyncState.UNSUBSCRIBED)
    with django_assert_max_num_queries(24):
        browser.post(reverse("sync:no_marketing", args=[link.pk]))
    assert Contact.objects.filter(no_marketing=True).count() == 34
    other.refresh_from_db()
    assert other.no_marketing_reason == "Unsubscribed in Mailchimp (Main list)"


@pytest.mark.parametrize("sort", ["name", "client", "email", "synced", "refused"])
def test_pages_follow_each_other_without_a_gap(
    admin: Seat, browser_of: BrowserOf, link: Connection, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockstep.web.sync.window.ROWS", 4)
    made = [record(link, SyncState.PENDING, last_name=f"L{n % 3}").contact_id for n in range(11)]
    browser, address, seen = browser_of(admin), window(link, f"?tab=pending&sort={sort}"), []
    while address:
        page = browser.get(address).context["page"]
        seen.append([row.contact_id for row in page.rows])
        address = window(link, f"?tab=pending&sort={sort}&page={page.next}") if page.next else ""
    assert [len(rows) for rows in seen] == [4, 4, 3]
    assert sorted(contact for rows in seen for contact in rows) == sorted(made)
    back = browser.get(window(link, f"?tab=pending&sort={sort}&page={page.previous}")).context["page"]
    assert [row.contact_id for row in back.rows] == seen[1]


def test_the_counts_move_by_themselves_and_a_stop_shows(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    """An open page asks again; once the sync is no longer what the page says, the whole page comes anew."""
    browser, ask = browser_of(admin), window(link, "?tab=synced&outcomes=on")
    assert 'hx-trigger="every 5s"' in browser.get(window(link)).text
    record(link, SyncState.UNSUBSCRIBED)
    counts = browser.get(ask, headers=HTMX)
    assert "1 unsubscribed" in counts.text
    assert "<table" not in counts.text
    Connection.objects.update(mode=Connection.Mode.STOPPING)
    assert browser.get(ask, headers=HTMX)["HX-Refresh"] == "true"
    waits = window(link, "?outcomes=stopping")
    assert "HX-Refresh" not in browser.get(waits, headers=HTMX)
    run_of(link, SyncRun.State.SYNCING, kind=SyncRun.Kind.STOP)
    assert browser.get(waits, headers=HTMX)["HX-Refresh"] == "true"


def test_a_large_start_asks_for_its_number(
    admin: Seat, browser_of: BrowserOf, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockstep.apps.sync.services.runs.TYPED_ABOVE", 2)
    monkeypatch.setattr("lockstep.web.sync.window.TYPED_ABOVE", 2)
    Connection.objects.update(mode=Connection.Mode.OFF)
    for _ in range(3):
        record(link, SyncState.SYNCED)
    browser, start = browser_of(admin), reverse("sync:start", args=[link.pk])
    assert "Type 3 to go on" in browser.get(window(link)).text
    for typed in ("", "2", "all"):
        told = browser.post(start, {"typed": typed}, follow=True)
        assert "3 contacts will be synced: type 3 to go on." in told.text
        assert not SyncRun.objects.exists()
    browser.post(start, {"typed": "3"})
    assert SyncRun.objects.get().kind == SyncRun.Kind.START


def test_a_large_plan_that_waits_asks_for_its_number(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    plan = {"adds": 1_200, "updates": 34, "guards": [{"text": "Many would be changed."}]}
    run = run_of(link, SyncRun.State.WAITING, plan=plan, fingerprint="f")
    browser, confirm = browser_of(admin), reverse("sync:confirm", args=[link.pk, run.pk])
    assert "Type the number to go on" in browser.get(window(link)).text
    told = browser.post(confirm, {"typed": "1200"}, follow=True)
    assert "You typed 1200. 1,234 contacts are written in Mailchimp: type 1,234 to go on." in told.text
    run.refresh_from_db()
    assert run.state == SyncRun.State.WAITING
    browser.post(confirm, {"typed": "1,234"})
    run.refresh_from_db()
    assert (run.state, run.approved) == (SyncRun.State.QUEUED, "f")


def test_a_run_lists_what_it_did_and_offers_to_undo_it(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    run = run_of(link, SyncRun.State.FINISHED, finished_at=timezone.now())
    contact = record(link, SyncState.SYNCED, last_name="Changed").contact
    SyncEvent.objects.create(
        company=link.company,
        connection=link,
        run=run,
        contact_id=contact.pk,
        kind=SyncEvent.Kind.UPDATED,
        differing={"position": ["=1+1", "New one"]},
    )
    browser, address = browser_of(admin), reverse("sync:run", args=[link.pk, run.pk])
    page = browser.get(address)
    assert "Changed" in page.text
    assert "CSKU Position" in page.text
    assert "stop the sync first" in page.text
    rows = b"".join(browser.get(reverse("sync:run_csv", args=[link.pk, run.pk])).streaming_content).decode()
    assert "CSKU Position,'=1+1,New one" in rows
    undo = reverse("sync:undo", args=[link.pk, run.pk])
    assert "Stop the sync first" in browser.post(undo, follow=True).text
    Connection.objects.update(mode=Connection.Mode.OFF)
    assert "Undo this run" in browser.get(address).text
    browser.post(undo)
    asked = SyncRun.objects.get(kind=SyncRun.Kind.UNDO)
    assert (asked.undoes_id, asked.state) == (run.pk, SyncRun.State.QUEUED)
    check(browser.get(window(link)).text)
    check(browser.get(address).text)


@pytest.mark.parametrize("name", ["window", "members_csv", "history", *ACTIONS, "no_marketing"])
def test_nothing_of_another_company_is_there(admin: Seat, browser_of: BrowserOf, name: str) -> None:
    foreign = ConnectionFactory(mode=Connection.Mode.ON)
    browser = browser_of(admin)
    send = browser.get if name in {"window", "members_csv", "history"} else browser.post
    assert send(reverse(f"sync:{name}", args=[foreign.pk])).status_code == 404
    foreign.refresh_from_db()
    assert foreign.mode == Connection.Mode.ON
    assert not SyncRun.objects.exists()
