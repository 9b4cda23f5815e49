"""The weekly digest: who gets it, when, once, and what stands in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from tests.factories import ClientFactory, ConnectionFactory, ContactFactory, SeatFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.campaigns.digests import digest_week, send_digests
from lockstep.apps.campaigns.models import (
    Campaign,
    CampaignSettings,
    Digest,
    Link,
    Person,
    Reaction,
    Reading,
    Recipient,
)
from lockstep.apps.campaigns.moments import seconds_at
from lockstep.apps.campaigns.reading.counting import count_people
from lockstep.apps.campaigns.services import choose_digest

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

MONDAY = date(2026, 11, 23)
MORNING = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        (datetime(2026, 11, 23, 7, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 23, 8, 0, tzinfo=UTC), MONDAY),
        (datetime(2026, 11, 24, 23, 59, tzinfo=UTC), MONDAY),
        (datetime(2026, 11, 25, 0, 0, tzinfo=UTC), None),
        (datetime(2026, 11, 29, 12, 0, tzinfo=UTC), None),
    ],
)
def test_when_digests_are_due(moment: datetime, week: date | None) -> None:
    assert digest_week(moment, UTC) == week
    tokyo = ZoneInfo("Asia/Tokyo")
    assert digest_week(moment - timedelta(hours=9), tokyo) == week


@pytest.fixture
def rep() -> Seat:
    """A rep of a company with the digest on; a contact of theirs clicked last week, another rep's as well."""
    seat = SeatFactory(user__first_name="Ada", company__time_zone="UTC")
    CampaignSettings.objects.create(company=seat.company, digest=True)
    link = ConnectionFactory(company=seat.company)
    campaign = Campaign.objects.create(
        company=seat.company,
        connection=link,
        mailchimp_id="c",
        title="Mugs",
        send_time=MORNING - timedelta(days=20),
    )
    Reading.objects.create(campaign=campaign, connection=link)
    Link.objects.create(campaign=campaign, number=0, url="https://shop.example")
    other = SeatFactory(company=seat.company)
    for number, (owner, name, days) in enumerate(
        [(seat, "Kestrel", 3), (seat, "Longago", 12), (seat, "Today", 0), (other, "Elsewhere", 3)]
    ):
        client = ClientFactory(company=seat.company, name=name, rep=owner.user)
        contact = ContactFactory(client=client, first_name=f"Person{number}", last_name="")
        person = Person.objects.create(connection=link, member_hash=bytes([number] * 16), contact=contact)
        Recipient.objects.create(campaign=campaign, person=person)
        at = seconds_at(MORNING - timedelta(days=days))
        Reaction.objects.create(campaign=campaign, person=person, what=16, at=at)
        count_people(campaign.pk, [person.pk])
    return seat


def mails_to(seat: Seat) -> list[mail.EmailMessage]:
    return [one for one in mail.outbox if one.to == [seat.user.email]]


def test_a_rep_hears_of_own_clients_once(rep: Seat) -> None:
    assert send_digests(MORNING) == 2
    assert send_digests(MORNING + timedelta(hours=3)) == 0
    [one] = mails_to(rep)
    assert one.subject == "One client clicked last week"
    assert "Kestrel" in one.body
    assert "Person0: once in “Mugs”" in one.body
    assert "/campaigns/settings" in one.body
    for name in ("Longago", "Today", "Elsewhere"):
        assert name not in one.body
    assert send_digests(MORNING + timedelta(days=7)) == 1, "who clicked today is in the next one"


def test_who_said_no_gets_none_and_companies_choose(rep: Seat) -> None:
    choose_digest(rep.actor(), wanted=False)
    assert send_digests(MORNING) == 1
    assert not mails_to(rep)
    CampaignSettings.objects.update(digest=False)
    Digest.objects.all().delete()
    assert send_digests(MORNING) == 0


def test_a_mail_that_could_not_go_out_is_tried_again(rep: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("lockstep.apps.campaigns.digests.send_mail", refuse)
        assert send_digests(MORNING) == 0
    assert send_digests(MORNING) == 2


def test_one_reps_failing_mail_is_tried_again_and_nobody_gets_theirs_twice(
    rep: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first mail of the round fails: the other rep gets theirs, the next round sends what is left."""
    other = Seat.objects.exclude(pk=rep.pk).get(company=rep.company)
    refused: list[str] = []

    def send(subject: str, text: str, sender: None, to: list[str]) -> int:
        if to == [rep.user.email] and not refused:
            refused.extend(to)
            raise OSError("the mail server is away")
        return mail.send_mail(subject, text, sender, to)

    monkeypatch.setattr("lockstep.apps.campaigns.digests.send_mail", send)
    assert send_digests(MORNING) == 1
    assert (len(mails_to(rep)), len(mails_to(other))) == (0, 1)
    assert Digest.objects.get(seat=rep).sent_at is None
    assert send_digests(MORNING + timedelta(minutes=15)) == 1
    assert send_digests(MORNING + timedelta(minutes=30)) == 0
    assert (len(mails_to(rep)), len(mails_to(other))) == (1, 1)


def test_a_worker_that_is_killed_before_the_mail_is_out_loses_none(
    rep: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("lockstep.apps.campaigns.digests.send_mail", die)
        with pytest.raises(Killed):
            send_digests(MORNING)
    assert mails_to(rep) == []
    assert send_digests(MORNING + timedelta(minutes=15)) >= 1
    assert len(mails_to(rep)) == 1
