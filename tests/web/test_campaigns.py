"""The pages of campaigns: what they say, who may, and what they cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests.apps.campaigns.world import HOME, CampaignWorld
from tests.factories import SeatFactory
from tests.scenarios.world import SyncWorld

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.campaigns.models import CampaignSettings, Reading
from lockstep.sandbox.testing import serve

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

BrowserOf = Callable[[Seat], Browser]


@pytest.fixture
def world(transactional_db: None) -> object:
    with serve() as server:
        yield CampaignWorld(SyncWorld(server))


def text(browser: Browser, path: str, **more: object) -> str:
    response = browser.get(path, **more)
    assert response.status_code == 200, path
    return response.content.decode()


def test_the_pages_of_one_campaign_from_list_to_contact(world: CampaignWorld, browser_of: BrowserOf) -> None:
    contact, *_ = world.people(6)
    sent = world.send("Holiday gifts", machine=1, open=0, soft=0, hard=0)
    world.hours(2)
    world.play(sent, contact.email, "click", HOME)
    world.read()
    browser, pk = browser_of(SeatFactory(company=world.sync.company)), world.campaign(sent).pk
    assert "Holiday gifts" in text(browser, "/campaigns/?sent=all")
    assert contact.client.name in text(browser, "/campaigns/clients?sent=all")
    page = text(browser, f"/campaigns/{pk}")
    assert "shop.example" in page
    assert "Opens by programs" in page
    assert "<svg" in page
    assert "As a table" in page
    for by in ("client", "rep", "tag", "client-tag", "nonsense"):
        assert "Who reacts" in text(browser, f"/campaigns/{pk}?by={by}")
    for reaction in ("clicked", "clicked-untouched"):
        assert contact.full_name in text(browser, f"/campaigns/{pk}/contacts?reaction={reaction}")
    assert contact.email not in text(browser, f"/campaigns/{pk}/contacts?reaction=silent")
    assert contact.full_name in text(browser, f"/campaigns/{pk}/contacts?reaction=clicked&link=0")
    assert "Holiday gifts" in text(browser, f"/contacts/{contact.pk}/marketing")
    assert "Latest reactions" in text(browser, f"/clients/{contact.client_id}/activity")
    listed = text(browser, f"/campaigns/{pk}/contacts?reaction=clicked")
    report = listed.split('class="btn pri" href="')[1].split('"')[0]
    assert contact.email in text(browser, report)
    assert "Gone quiet" in text(browser, "/campaigns/quiet?campaigns=3")


def test_news_reach_an_open_contact_page(world: CampaignWorld, browser_of: BrowserOf) -> None:
    contact, *_ = world.people(2)
    sent = world.send("News", machine=0, open=0, soft=0, hard=0)
    world.hours(1)
    world.read()
    browser = browser_of(SeatFactory(company=world.sync.company))
    page = text(browser, f"/contacts/{contact.pk}/marketing")
    address = page.split('id="campaign-cards" hx-get="')[1].split('"')[0]
    assert browser.get(address).status_code == 204
    world.play(sent, contact.email, "click", HOME)
    world.hours(1)
    world.read()
    news = text(browser, address)
    assert "Clicked" in news
    assert "shop.example" in news
    assert browser.get(news.split('hx-get="')[1].split('"')[0]).status_code == 204


def test_opening_a_campaign_has_it_read_at_once(world: CampaignWorld, browser_of: BrowserOf) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    world.people(2)
    sent = world.send("News")
    world.hours(50)
    world.read()
    browser, pk = browser_of(SeatFactory(company=world.sync.company)), world.campaign(sent).pk
    Reading.objects.update(read_at=timezone.now())
    text(browser, f"/campaigns/{pk}")
    assert Reading.objects.get().asked_at is None, "read within the last minute"
    Reading.objects.update(read_at=timezone.now() - timezone.timedelta(minutes=2))
    text(browser, f"/campaigns/{pk}", headers={"HX-Request": "true"})
    assert Reading.objects.get().asked_at is None, "the page asking again is no opening"
    text(browser, f"/campaigns/{pk}")
    text(browser, f"/campaigns/{pk}")
    assert Reading.objects.get().asked_at is not None
    assert ProcrastinateJob.objects.filter(task_name="lockstep.campaigns.read").count() == 1
    world.read(index_now=False)
    assert Reading.objects.get().asked_at is None


def test_settings_are_everybodys_to_see_and_the_admins_to_change(db: None, browser_of: BrowserOf) -> None:
    admin = SeatFactory(role=Role.ADMIN)
    reader = SeatFactory(company=admin.company, role=Role.READ_ONLY)
    for seat, status in ((reader, 403), (admin, 302)):
        answer = browser_of(seat).post("/campaigns/settings", {"keep_months": "12", "digest": "on"})
        assert answer.status_code == status
    kept = CampaignSettings.objects.get(pk=admin.company_id)
    assert (kept.keep_months, kept.digest) == (12, True)
    browser_of(admin).post("/campaigns/settings", {"keep_months": "13"})
    kept.refresh_from_db()
    assert kept.keep_months == 12
    assert "1 year" in text(browser_of(reader), "/campaigns/settings")
    browser_of(reader).post("/campaigns/settings/digest", {})
    assert 'name="wanted">' in text(browser_of(reader), "/campaigns/settings")
    browser_of(reader).post("/campaigns/settings/digest", {"wanted": "on"})
    assert 'name="wanted" checked>' in text(browser_of(reader), "/campaigns/settings")


@pytest.mark.parametrize(
    "path", ["/campaigns/", "/campaigns/clients", "/campaigns/quiet", "/campaigns/settings"]
)
def test_without_anything_pages_say_what_is_missing(db: None, browser_of: BrowserOf, path: str) -> None:
    assert 'class="empty"' in text(browser_of(SeatFactory()), path) or path.endswith("settings")


def test_queries_do_not_grow_with_the_rows(world: CampaignWorld, browser_of: BrowserOf) -> None:
    contacts = world.people(3, clients=1)
    browser = browser_of(SeatFactory(company=world.sync.company))

    def counts() -> list[int]:
        pk = Reading.objects.order_by("pk").first().pk  # type: ignore[union-attr]
        found = []
        for path in (
            "/campaigns/?sent=all",
            "/campaigns/clients?sent=all",
            f"/campaigns/{pk}/contacts?reaction=sent",
            f"/contacts/{contacts[0].pk}/marketing",
            f"/clients/{contacts[0].client_id}/activity",
        ):
            with CaptureQueriesContext(database) as asked:
                text(browser, path)
            found.append(len(asked))
        return found

    world.send("One")
    world.hours(90)
    world.read()
    counts()  # what is counted once in a while, and then remembered
    one = counts()
    for name in ("Two", "Three"):
        world.send(name)
        world.hours(90)
    world.read()
    assert counts() == one
