"""Campaigns: drafts, sending, and the simulated time in which subscribers react (contract, section 9).

The API only reads campaigns; making and sending them is the marketer's work in the web application, here the
control door's and the page's.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import subscriber
from .audience import Audience
from .behaviour import Script, Temper, sending_seconds, write_script
from .condition import Surroundings
from .events import CampaignEvent, MemberEvent
from .mailing import ABUSE, CLICK, HARD, LINKS, OPEN, SOFT, UNSUBSCRIBE, Mailing
from .segment import Segments, held_by
from .subscriber import CannotHappen

if TYPE_CHECKING:
    from .account import Account
    from .member import Member
    from .sandbox import Sandbox

__all__ = ["Campaign", "Campaigns", "campaigns_of", "hear"]

#: Events become visible within a minute; the service takes up to about four (contract, section 9).
_VISIBLE_WITHIN = 60
#: INFERRED: the number of soft bounces after which an address is cleaned.
_SOFT_BOUNCES = 7
_LASTING = frozenset((SOFT, HARD, UNSUBSCRIBE, ABUSE))
DEFAULT_LINKS = ("https://club.example/", "https://club.example/donate", "https://club.example/events")


@dataclass(slots=True)
class Campaign:
    """A campaign. Times are seconds since 1970. `links` are (id, url). `segment_id` None means everybody."""

    id: str
    web_id: int
    account_id: str
    audience_id: str
    title: str
    subject: str
    preview: str
    from_name: str
    reply_to: str
    created_at: int
    links: list[tuple[str, str]]
    segment_id: int | None = None
    status: str = "save"
    send_time: int | None = None
    temper: Temper = field(default_factory=Temper)
    seed: int = 1
    mailing: Mailing | None = None
    #: How far the script of reactions has been played.
    played: int = 0

    def link(self, link_id: str) -> int | None:
        """The number of a link."""
        return next((number for number, (key, _) in enumerate(self.links) if key == link_id), None)


class Campaigns:
    """All campaigns of all accounts, in the order of their making."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._all: dict[str, Campaign] = {}
        self._scripts: dict[str, Script] = {}
        self._soft: Counter[tuple[str, int]] = Counter()

    # --- reading ---

    def of(self, account: Account) -> list[Campaign]:
        """The campaigns of one account."""
        return [campaign for campaign in self._all.values() if campaign.account_id == account.id]

    def find(self, campaign_id: str) -> Campaign | None:
        """The campaign with this id."""
        return self._all.get(campaign_id)

    def audience(self, campaign: Campaign) -> Audience | None:
        """The audience a campaign went to; None once it is deleted."""
        return self._sandbox.accounts[campaign.account_id].audiences.get(campaign.audience_id)

    def around(self, audience: Audience, now: int) -> Surroundings:
        """What segment conditions may look at."""
        mine = [c for c in self._all.values() if c.audience_id == audience.id and c.mailing is not None]

        def mailed(what: str, campaign_id: str) -> Collection[int]:
            found: set[int] = set()
            for campaign in mine:
                mailing = campaign.mailing
                if mailing is None or campaign_id not in ("any", campaign.id):
                    continue
                if what == "sent":
                    found.update(mailing.serials)
                else:
                    who = mailing.openers if what == "open" else mailing.clickers
                    found.update(mailing.serials[number] for number in who)
            return found

        def sent_at(campaign_id: str) -> int | None:
            times = [c.send_time for c in mine if c.send_time and campaign_id in ("last", c.id)]
            return max(times, default=None)

        return Surroundings(audience, now, mailed, sent_at)

    def recipients(self, campaign: Campaign) -> list[Member]:
        """Who would get the campaign now: the subscribed, or those of them in the segment."""
        audience = self.audience(campaign)
        if audience is None:
            return []
        if campaign.segment_id is None:
            return audience.rows("subscribed")[0]
        segment = self._sandbox.store("segments", Segments).find(audience, campaign.segment_id)
        if segment is None:
            return []
        return held_by(segment, self.around(audience, self._sandbox.clock.second()))

    # --- the marketer ---

    def add(
        self,
        account: Account,
        audience: Audience,
        *,
        subject: str,
        title: str = "",
        preview: str = "",
        links: Collection[str] = DEFAULT_LINKS,
        segment_id: int | None = None,
    ) -> Campaign:
        """A new draft. Raises CannotHappen for a segment that is not there, or for too many links."""
        if len(links) > LINKS:
            raise CannotHappen(f"a campaign has at most {LINKS} links here")
        segments = self._sandbox.store("segments", Segments)
        if segment_id is not None and segments.find(audience, segment_id) is None:
            raise CannotHappen(f"{audience.name} has no segment {segment_id}")
        ids = self._sandbox.ids
        defaults = audience.settings["campaign_defaults"]
        made = Campaign(
            id=ids.hex(10),
            web_id=ids.number(),
            account_id=account.id,
            audience_id=audience.id,
            title=title or subject,
            subject=subject,
            preview=preview,
            from_name=defaults["from_name"],
            reply_to=defaults["from_email"],
            created_at=self._sandbox.clock.second(),
            links=[(ids.hex(10), url) for url in dict.fromkeys(links)],
            segment_id=segment_id,
        )
        self._all[made.id] = made
        return made

    def delete(self, campaign: Campaign) -> None:
        """Throw a draft away. Raises CannotHappen for one that went out."""
        if campaign.status != "save":
            raise CannotHappen("only drafts can be deleted")
        del self._all[campaign.id]

    def send(self, campaign: Campaign, *, temper: Temper | None = None, seed: int | None = None) -> None:
        """Send a draft now: it goes out at 500 mails a second, and people react over days.

        Raises CannotHappen if it went out already or nobody would get it.
        """
        if campaign.status != "save":
            raise CannotHappen(f"this campaign cannot be sent: it is {campaign.status}")
        members = self.recipients(campaign)
        if not members:
            raise CannotHappen("nobody would get this campaign")
        serials = array("Q", sorted(member.serial for member in members))
        campaign.temper = temper or Temper()
        campaign.seed = int(self._sandbox.ids.chance() * 2**32) if seed is None else seed
        campaign.mailing = Mailing(serials, len(campaign.links))
        campaign.status = "sending"
        campaign.send_time = self._sandbox.clock.second()
        self._schedule(campaign)

    def _schedule(self, campaign: Campaign) -> None:
        if campaign.mailing is None or campaign.send_time is None:
            return
        if campaign.status == "sending":
            done = campaign.send_time + sending_seconds(len(campaign.mailing))
            self._sandbox.schedule.at(done, lambda moment: self._finish(campaign, int(moment)))
        self._next_step(campaign, campaign.send_time)

    def _finish(self, campaign: Campaign, at: int) -> None:
        if campaign.status != "sending":
            return
        campaign.status = "sent"
        audience = self.audience(campaign)
        if audience is None:
            return
        stats = audience.stats
        stats.campaigns += 1
        stats.last_campaign = campaign.send_time
        stats.since_send = {
            status: len(audience.shelves[status]) for status in ("subscribed", "unsubscribed", "cleaned")
        }
        audience.events.publish(CampaignEvent(at, audience, campaign.id, campaign.subject, "sent"))

    # --- reactions ---

    def _script(self, campaign: Campaign, mailing: Mailing) -> Script:
        if campaign.id not in self._scripts:
            self._scripts[campaign.id] = write_script(
                mailing.serials, len(campaign.links), campaign.temper, campaign.seed
            )
        return self._scripts[campaign.id]

    def _next_step(self, campaign: Campaign, now: int) -> None:
        """Look again when the next lasting event is due, or a minute after the next open or click.

        Opens and clicks may wait for others, which saves work; a change of status may not, or a reader of
        `last_changed` would miss it.
        """
        mailing, start = campaign.mailing, campaign.send_time
        if mailing is None or start is None:
            return
        script = self._script(campaign, mailing)
        number = campaign.played
        if number >= len(script):
            del self._scripts[campaign.id]
            return
        due = start + script.after[number] + _VISIBLE_WITHIN
        while number < len(script) and start + script.after[number] < due:
            if script.what[number] in _LASTING:
                due = start + script.after[number]
            number += 1
        self._sandbox.schedule.at(max(due, now), lambda moment: self._step(campaign, int(moment)))

    def _step(self, campaign: Campaign, now: int) -> None:
        self._play(campaign, now)
        self._next_step(campaign, now)

    def _play(self, campaign: Campaign, now: int) -> None:
        """Let everything happen that is due by `now`."""
        mailing, start = campaign.mailing, campaign.send_time
        if mailing is None or start is None or campaign.id not in self._scripts:
            return
        script = self._scripts[campaign.id]
        number = campaign.played
        while number < len(script) and start + script.after[number] <= now:
            # Counted before it happens: a listener may look at the campaign.
            campaign.played = number + 1
            self._react(
                campaign, mailing, script.who[number], script.what[number], start + script.after[number]
            )
            number += 1

    def _react(self, campaign: Campaign, mailing: Mailing, who: int, what: int, at: int) -> None:
        if what not in _LASTING:
            mailing.record(who, what, at)
            return
        audience = self.audience(campaign)
        member = audience.member(mailing.serials[who]) if audience else None
        if what in (SOFT, HARD):
            mailing.record(who, what, at)
        if audience is None or member is None or member.archived or member.status != "subscribed":
            return
        key = (audience.id, member.serial)
        if what == SOFT:
            self._soft[key] += 1
        if what == HARD or self._soft[key] >= _SOFT_BOUNCES:
            subscriber.bounce(audience, member, at, campaign_id=campaign.id)
        elif what == UNSUBSCRIBE:
            subscriber.unsubscribe(audience, member, at, campaign_id=campaign.id)
        elif what == ABUSE:
            subscriber.complain(audience, member, at, campaign_id=campaign.id)

    def play_one(self, campaign: Campaign, member: Member, what: str, *, url: str = "") -> None:
        """Somebody opens the mail, or clicks a link in it, now. Raises CannotHappen."""
        mailing = campaign.mailing
        who = mailing.recipient(member.serial) if mailing else None
        if mailing is None or who is None:
            raise CannotHappen(f"{member.email} was not sent this campaign")
        if mailing.status[who]:
            raise CannotHappen(f"the mail to {member.email} bounced")
        now = self._sandbox.clock.second()
        self._play(campaign, now)
        if what == "open":
            mailing.record(who, OPEN, now)
            return
        number = next((n for n, (_, known) in enumerate(campaign.links) if known == url), None)
        if what != "click" or number is None:
            raise CannotHappen(f"what can happen is open, or click with one of the links; not {what} {url}")
        if not mailing.opens_of(who):
            mailing.record(who, OPEN, now)
        mailing.record(who, CLICK + number, now)

    def hear(self, event: MemberEvent) -> None:
        """An unsubscribe, complaint or bounce that a campaign brought about goes into its report."""
        campaign = self._all.get(str(event.detail.get("campaign_id") or ""))
        if campaign is None or campaign.mailing is None or campaign.audience_id != event.audience.id:
            return
        mailing = campaign.mailing
        who = mailing.recipient(event.member.serial)
        if who is None:
            return
        if event.kind == "unsubscribe":
            mailing.record(who, ABUSE if event.detail.get("reason") == "abuse" else UNSUBSCRIBE, event.at)
        elif event.kind == "cleaned" and not mailing.status[who]:
            mailing.record(who, HARD, event.at)

    # --- snapshot ---

    def dump(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "campaigns": [
                {
                    spec.name: getattr(campaign, spec.name)
                    for spec in dataclasses.fields(Campaign)
                    if spec.name not in ("mailing", "temper")
                }
                | {
                    "temper": dataclasses.asdict(campaign.temper),
                    "mailing": campaign.mailing.dump() if campaign.mailing else None,
                }
                for campaign in self._all.values()
            ],
            "soft": [[audience, serial, count] for (audience, serial), count in self._soft.items()],
        }

    def load(self, data: dict[str, Any]) -> None:
        """The reverse of `dump`; what was to come is to come again."""
        for row in data["campaigns"]:
            campaign = Campaign(
                **row
                | {
                    "temper": Temper(**row["temper"]),
                    "links": [(key, url) for key, url in row["links"]],
                    "mailing": Mailing.load(row["mailing"]) if row["mailing"] else None,
                }
            )
            self._all[campaign.id] = campaign
            self._schedule(campaign)
        self._soft = Counter({(audience, serial): count for audience, serial, count in data["soft"]})


def campaigns_of(sandbox: Sandbox) -> Campaigns:
    """The campaigns of a sandbox."""
    return sandbox.store("campaigns", lambda: Campaigns(sandbox))


def hear(sandbox: Sandbox, event: MemberEvent | CampaignEvent) -> None:
    """The campaigns' ear on the event bus."""
    if isinstance(event, MemberEvent):
        campaigns_of(sandbox).hear(event)
