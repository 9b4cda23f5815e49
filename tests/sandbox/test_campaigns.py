"""Campaigns, reports and activity (contract, section 9), and the model of what subscribers do."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from array import array
from collections import Counter
from typing import Any

import pytest

from lockstep.sandbox import Sandbox, create_app
from lockstep.sandbox.behaviour import Temper, write_script
from lockstep.sandbox.campaign import campaigns_of
from lockstep.sandbox.mailing import CAP, CLICK, HARD, MACHINE, OPEN, SOFT, UNSUBSCRIBE, Mailing
from lockstep.sandbox.snapshot import load, save
from lockstep.sandbox.testing import SandboxClient

HOME, DONATE = "https://club.example/", "https://club.example/donate"
NOBODY = {"open": 0, "machine": 0, "hard": 0, "soft": 0}


def address(name: str) -> str:
    return f"{name}@club.example"


def key(name: str) -> str:
    return hashlib.md5(address(name).encode()).hexdigest()


@pytest.fixture
def mailed(mailchimp: SandboxClient) -> Any:
    """A campaign to the five, out for a minute, to which nobody reacts by themselves; the clock stands."""
    mailchimp.sandbox.clock.run(0)
    made = mailchimp.control(
        "/campaigns",
        {
            "audience": mailchimp.audience.id, "subject": "Spring", "title": "Spring mail",
            "links": [HOME, DONATE], "send": True, "behaviour": NOBODY,
        },
    )  # fmt: skip
    mailchimp.control("/clock", {"advance": 60})
    return made


def play(mailchimp: SandboxClient, campaign: Any, who: str, what: str, url: str = "", after: int = 10) -> str:
    """Somebody opens or clicks `after` seconds; answers when."""
    mailchimp.control("/clock", {"advance": after})
    mailchimp.control(
        "/campaigns/play", {"campaign": campaign["id"], "email": address(who), "what": what, "url": url}
    )
    return str(mailchimp.control("/clock")["now"])


def happen(mailchimp: SandboxClient, who: str, what: str, campaign: Any = None, **more: Any) -> None:
    body = {"audience": mailchimp.audience.id, "email": address(who), "what": what} | more
    if campaign is not None:
        body["campaign_id"] = campaign["id"]
    mailchimp.control("/happen", body)


# --- campaigns ---


def test_a_draft_has_no_times_and_no_report(mailchimp: SandboxClient) -> None:
    made = mailchimp.control("/campaigns", {"audience": mailchimp.audience.id, "subject": "Draft"})
    draft = mailchimp.get(f"/campaigns/{made['id']}").json
    assert (draft["status"], draft["send_time"], draft["emails_sent"]) == ("save", "", 0)
    assert draft["recipients"]["recipient_count"] == 5
    assert "report_summary" not in draft
    assert mailchimp.get("/reports").json["reports"] == []
    assert mailchimp.get(f"/reports/{made['id']}").status == 404
    for below in ("sent-to", "open-details", "email-activity", "click-details", "unsubscribed"):
        answer = mailchimp.get(f"/reports/{made['id']}/{below}")
        assert (answer.status, answer.json["total_items"]) == (200, 0), below  # unsent: 200 and empty


def test_a_campaign_goes_from_save_over_sending_to_sent(mailchimp: SandboxClient) -> None:
    mailchimp.sandbox.clock.run(0)
    made = mailchimp.control("/campaigns", {"audience": mailchimp.audience.id, "subject": "Hello"})
    mailchimp.control("/campaigns/send", {"campaign": made["id"]})
    assert mailchimp.get(f"/campaigns/{made['id']}").json["status"] == "sending"
    mailchimp.control("/clock", {"advance": 5})
    sent = mailchimp.get(f"/campaigns/{made['id']}").json
    assert (sent["status"], sent["emails_sent"], sent["settings"]["subject_line"]) == ("sent", 5, "Hello")
    stats = mailchimp.get(f"/lists/{mailchimp.audience.id}").json["stats"]
    assert (stats["campaign_count"], stats["campaign_last_sent"]) == (1, sent["send_time"])
    again = mailchimp.raw("POST", "/_sandbox/campaigns/send", b'{"campaign": "%s"}' % made["id"].encode())
    assert again.status == 400


def test_campaigns_are_filtered(mailchimp: SandboxClient, mailed: Any) -> None:
    draft = mailchimp.control("/campaigns", {"audience": mailchimp.audience.id, "subject": "Later"})

    def ids(**query: Any) -> list[str]:
        return [row["id"] for row in mailchimp.get("/campaigns", **query).json["campaigns"]]

    sent_at = mailchimp.get(f"/campaigns/{mailed['id']}").json["send_time"]
    assert ids() == [draft["id"], mailed["id"]]
    assert ids(status="sent") == [mailed["id"]]
    assert ids(status="save", list_id=mailchimp.audience.id) == [draft["id"]]
    assert ids(list_id="other") == []
    assert ids(before_send_time=sent_at) == [mailed["id"]]  # before includes
    assert ids(since_send_time=sent_at) == []  # since excludes
    assert ids(since_create_time=sent_at) == [draft["id"]]
    assert ids(sort_field="create_time", sort_dir="ASC") == [mailed["id"], draft["id"]]
    assert ids(type="rss") == []
    assert ids(member_id=key("pat")) == [mailed["id"]]
    assert mailchimp.get("/campaigns", status="nonsense").status == 400


def test_a_segment_gets_the_campaign(mailchimp: SandboxClient) -> None:
    segments = f"/lists/{mailchimp.audience.id}/segments"
    tag = mailchimp.post(segments, {"name": "T", "static_segment": [address("pat"), address("kim")]}).json
    made = mailchimp.control(
        "/campaigns",
        {"audience": mailchimp.audience.id, "subject": "S", "segment": tag["id"], "send": True},
    )
    sent_to = mailchimp.get(f"/reports/{made['id']}/sent-to").json
    assert {row["email_address"] for row in sent_to["sent_to"]} == {address("pat"), address("kim")}
    recipients = mailchimp.get(f"/campaigns/{made['id']}").json["recipients"]
    assert recipients["segment_opts"]["saved_segment_id"] == tag["id"]


# --- reports ---


def test_a_report_without_reactions_has_empty_dates(mailchimp: SandboxClient, mailed: Any) -> None:
    report = mailchimp.get("/reports").json["reports"][0]
    assert report["emails_sent"] == 5
    assert report["opens"] == {"opens_total": 0, "unique_opens": 0, "open_rate": 0, "last_open": ""}
    assert report["clicks"]["last_click"] == ""  # trap 41


def test_opens_and_clicks_reach_every_report(mailchimp: SandboxClient, mailed: Any) -> None:
    base = f"/reports/{mailed['id']}"
    play(mailchimp, mailed, "pat", "open")
    last_open = play(mailchimp, mailed, "kim", "open")
    play(mailchimp, mailed, "pat", "click", DONATE)
    last_click = play(mailchimp, mailed, "pat", "click", HOME)

    report = mailchimp.get(base).json
    assert report["opens"] == {
        "opens_total": 2, "unique_opens": 2, "open_rate": 0.4, "last_open": last_open,
    }  # fmt: skip
    assert report["clicks"] == {
        "clicks_total": 2, "unique_clicks": 2, "unique_subscriber_clicks": 1, "click_rate": 0.2,
        "last_click": last_click,
    }  # fmt: skip
    assert sum(hour["unique_opens"] for hour in report["timeseries"]) == 2
    sent = {row["email_address"]: row for row in mailchimp.get(f"{base}/sent-to").json["sent_to"]}
    assert len(sent) == 5
    assert (sent[address("kim")]["open_count"], sent[address("kim")]["last_open"]) == (1, last_open)
    assert (sent[address("jo")]["status"], sent[address("jo")]["last_open"]) == ("sent", "")

    opened = mailchimp.get(f"{base}/open-details").json
    assert [row["email_address"] for row in opened["members"]] == [address("pat"), address("kim")]
    assert (opened["total_opens"], opened["total_items"]) == (2, 2)
    assert opened["members"][1]["opens"] == [{"timestamp": last_open}]
    links = mailchimp.get(f"{base}/click-details").json["urls_clicked"]
    assert [(link["url"], link["total_clicks"], link["last_click"] != "") for link in links] == [
        (HOME, 1, True),
        (DONATE, 1, True),
    ]
    one = mailchimp.get(f"{base}/click-details/{links[0]['id']}").json
    assert one["click_percentage"] == 0.5
    clickers = mailchimp.get(f"{base}/click-details/{links[0]['id']}/members").json["members"]
    assert [(row["email_address"], row["clicks"]) for row in clickers] == [(address("pat"), 1)]
    assert "timestamp" not in clickers[0]  # contract 9: no times
    assert mailchimp.get(f"{base}/click-details/nolink").status == 404
    listed = mailchimp.get(f"/campaigns/{mailed['id']}").json["report_summary"]
    assert (listed["opens"], listed["subscriber_clicks"]) == (2, 1)


def test_email_activity_keeps_all_recipients_and_thins_by_since(
    mailchimp: SandboxClient, mailed: Any
) -> None:
    base = f"/reports/{mailed['id']}/email-activity"
    first = play(mailchimp, mailed, "pat", "open")
    second = play(mailchimp, mailed, "pat", "click", HOME)
    everything = mailchimp.get(base).json
    assert (everything["total_items"], len(everything["emails"])) == (5, 5)
    pat = next(row for row in everything["emails"] if row["email_address"] == address("pat"))
    ip = pat["activity"][0]["ip"]
    assert pat["activity"] == [
        {"action": "open", "timestamp": first, "ip": ip},
        {"action": "click", "timestamp": second, "url": HOME, "ip": ip},
    ]
    thinned = mailchimp.get(base, since=first).json  # exclusive
    assert len(thinned["emails"]) == thinned["total_items"] == 5
    actions = {row["email_address"]: [a["action"] for a in row["activity"]] for row in thinned["emails"]}
    assert actions.pop(address("pat")) == ["click"]
    assert set(map(tuple, actions.values())) == {()}
    assert mailchimp.get(f"{base}/{key('pat')}", since=second).json["activity"] == []
    assert mailchimp.get(f"{base}/{'0' * 32}").status == 404


def test_bounces_unsubscribes_and_complaints(mailchimp: SandboxClient, mailed: Any) -> None:
    base = f"/reports/{mailed['id']}"
    mailchimp.control("/clock", {"advance": 5})
    happen(mailchimp, "sam", "bounce", mailed)
    happen(mailchimp, "kim", "unsubscribe", mailed, reason="Too much mail")
    happen(mailchimp, "jo", "complain", mailed)
    happen(mailchimp, "noor", "unsubscribe")  # not because of the campaign
    report = mailchimp.get(base).json
    assert report["bounces"] == {"hard_bounces": 1, "soft_bounces": 0, "syntax_errors": 0}
    assert (report["unsubscribed"], report["abuse_reports"]) == (2, 1)
    gone = mailchimp.get(f"{base}/unsubscribed").json["unsubscribes"]
    assert [(row["email_address"], row["reason"]) for row in gone] == [
        (address("kim"), "Too much mail"),
        (address("jo"), "Reported as spam"),
    ]
    sam = mailchimp.get(f"{base}/email-activity/{key('sam')}").json["activity"]
    assert [(event["action"], event["type"], "ip" in event) for event in sam] == [("bounce", "hard", False)]
    kim = mailchimp.get(f"{base}/email-activity/{key('kim')}").json["activity"]
    assert kim == []  # no unsubscribes there
    rows = mailchimp.get(f"{base}/sent-to").json["sent_to"]
    assert {row["email_address"]: row["status"] for row in rows}[address("sam")] == "hard"
    assert mailchimp.get(f"/lists/{mailchimp.audience.id}/members/{key('sam')}").json["status"] == "cleaned"


def test_reports_outlive_contacts_and_audiences(mailchimp: SandboxClient, mailed: Any) -> None:
    base, members = f"/reports/{mailed['id']}", f"/lists/{mailchimp.audience.id}/members"
    mailchimp.post(f"{members}/{key('pat')}/actions/delete-permanent")
    rows = mailchimp.get(f"{base}/sent-to").json
    assert rows["total_items"] == len(rows["sent_to"]) == 5
    assert sorted(row["email_address"] for row in rows["sent_to"])[0] == ""
    mailchimp.delete(f"/lists/{mailchimp.audience.id}")
    report = mailchimp.get(base).json
    assert (report["list_is_active"], report["emails_sent"]) == (False, 5)


def test_a_renamed_contact_stays_the_same_recipient(mailchimp: SandboxClient, mailed: Any) -> None:
    path = f"/lists/{mailchimp.audience.id}/members"
    mailchimp.patch(f"{path}/{key('pat')}", {"email_address": address("patricia")})
    play(mailchimp, mailed, "patricia", "open")
    opened = mailchimp.get(f"/reports/{mailed['id']}/open-details").json["members"]
    assert [row["email_id"] for row in opened] == [key("patricia")]


# --- one member ---


def test_activity_is_newest_first_and_at_most_fifty(mailchimp: SandboxClient, mailed: Any) -> None:
    path = f"/lists/{mailchimp.audience.id}/members/{key('pat')}/activity"
    for _ in range(60):
        play(mailchimp, mailed, "pat", "open", after=1)
    play(mailchimp, mailed, "pat", "click", DONATE)
    answer = mailchimp.get(path, count=1000).json
    assert (len(answer["activity"]), answer["total_items"]) == (50, 50)
    assert [row["action"] for row in answer["activity"]][:2] == ["click", "open"]
    assert answer["activity"][0]["url"] == DONATE
    only = mailchimp.get(path, action="sent,click").json["activity"]
    assert [(row["action"], row["title"]) for row in only] == [
        ("click", "Spring mail"),
        ("sent", "Spring mail"),
    ]
    assert mailchimp.get(path, action="danced").status == 400


def test_the_feed_has_an_item_for_each_type(mailchimp: SandboxClient, mailed: Any) -> None:
    path = f"/lists/{mailchimp.audience.id}/members/{key('pat')}/activity-feed"
    play(mailchimp, mailed, "pat", "click", HOME)
    mailchimp.control("/clock", {"advance": 5})
    happen(mailchimp, "pat", "unsubscribe", mailed, reason="Too much mail")
    answer = mailchimp.get(path, count=100).json
    assert "total_items" not in answer
    kinds = [item["activity_type"] for item in answer["activity"]]
    assert kinds == ["unsub", "click", "open", "sent", "generic_signup"]
    unsub, click = answer["activity"][:2]
    assert (unsub["unsubscribe_reason"], unsub["is_admin_unsubscribed"]) == ("Too much mail", False)
    assert (click["link_clicked"], click["campaign_title"]) == (HOME, "Spring mail")
    assert len(mailchimp.get(path, count=2, offset=4).json["activity"]) == 1
    opens = mailchimp.get(path, activity_filters="open").json["activity"]
    assert [item["activity_type"] for item in opens] == ["open"]
    happen(mailchimp, "kim", "admin_unsubscribe")
    kim = mailchimp.get(path.replace(key("pat"), key("kim"))).json["activity"]
    assert [item["is_admin_unsubscribed"] for item in kim if item["activity_type"] == "unsub"] == [True]


# --- the model ---


def test_the_script_is_repeatable_and_ordered() -> None:
    serials = array("Q", range(1, 3001))
    one, other = (write_script(serials, 3, Temper(), 7) for _ in range(2))
    assert (one.after, one.who, one.what) == (other.after, other.who, other.what)
    assert list(one.after) == sorted(one.after)
    assert write_script(serials, 3, Temper(), 8).after != one.after


def test_the_model_does_what_its_numbers_say() -> None:
    count = 20_000
    script = write_script(array("Q", range(1, count + 1)), 3, Temper(), 1)
    temper = Temper()
    kinds = Counter(script.what)
    assert kinds[HARD] == pytest.approx(count * temper.hard, rel=0.3)
    assert kinds[SOFT] == pytest.approx(count * temper.soft, rel=0.2)
    openers = {who for who, what in zip(script.who, script.what, strict=True) if what == OPEN}
    assert len(openers) == pytest.approx(count * temper.open, rel=0.1)
    clickers = {who for who, what in zip(script.who, script.what, strict=True) if what >= CLICK}
    assert clickers <= openers
    assert len(clickers) == pytest.approx(len(openers) * temper.click, rel=0.15)
    assert kinds[CLICK] > kinds[CLICK + 2] > 0  # several links, the first most
    bounced = {w for w, what in zip(script.who, script.what, strict=True) if what in (HARD, SOFT)}
    assert not bounced & openers
    machines = [
        after - int(who / 500)
        for after, who, what in zip(script.after, script.who, script.what, strict=True)
        if what == MACHINE
    ]
    assert machines
    assert max(machines) <= 31  # seconds after delivery (trap 44)
    assert kinds[UNSUBSCRIBE] > 0
    assert max(script.after) <= 14 * 86_400


def test_a_thousand_opens_and_clicks_count_at_most() -> None:
    mailing = Mailing(array("Q", [1]), 1)
    for n in range(CAP + 5):
        mailing.record(0, OPEN, n)
        mailing.record(0, CLICK, n)
    assert (mailing.opens_total, mailing.clicks_total) == (1000, 1000)


def test_simulated_weeks_pass_as_the_clock_is_moved(mailchimp: SandboxClient) -> None:
    audience = mailchimp.audience
    mailchimp.sandbox.clock.run(0)
    mailchimp.control("/members", {"audience": audience.id, "generate": 2000})
    made = mailchimp.control(
        "/campaigns", {"audience": audience.id, "subject": "Big", "send": True, "seed": 3}
    )
    seen = []
    for step in (60, 3600, 86_400, 13 * 86_400, 3600):
        mailchimp.control("/clock", {"advance": step})
        seen.append(mailchimp.get(f"/reports/{made['id']}").json["opens"]["opens_total"])
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[1] < seen[2] < seen[3] == seen[4]
    report = mailchimp.get(f"/reports/{made['id']}").json
    assert report["unsubscribed"] > 0
    assert report["bounces"]["hard_bounces"] == len(audience.shelves["cleaned"])
    assert report["unsubscribed"] == len(audience.shelves["unsubscribed"])
    rows = mailchimp.get(
        f"/reports/{made['id']}/email-activity", count=1000, offset=1000, exclude_fields="emails._links"
    ).json
    assert len(rows["emails"]) == 1000
    latest = max(m.last_changed for m in audience if m.status == "unsubscribed")
    assert latest <= mailchimp.sandbox.clock.second()


def test_soft_bounces_clean_an_address_in_the_end(mailchimp: SandboxClient) -> None:
    mailchimp.sandbox.clock.run(0)
    for _ in range(7):
        assert len(mailchimp.audience.shelves["subscribed"]) == 5
        mailchimp.control(
            "/campaigns",
            {
                "audience": mailchimp.audience.id, "subject": "S", "send": True,
                "behaviour": {"soft": 1, "hard": 0, "open": 0, "machine": 0},
            },
        )  # fmt: skip
        mailchimp.control("/clock", {"advance": 3600})
    assert len(mailchimp.audience.shelves["cleaned"]) == 5


def test_a_wrong_behaviour_is_refused(mailchimp: SandboxClient) -> None:
    for wrong in (b'{"nonsense": 1}', b'{"open": 2}', b'{"open": "much"}'):
        body = b'{"audience": "%s", "subject": "S", "send": true, "behaviour": %s}'
        answer = mailchimp.raw("POST", "/_sandbox/campaigns", body % (mailchimp.audience.id.encode(), wrong))
        assert answer.status == 400


def test_campaigns_live_on_in_a_snapshot(mailchimp: SandboxClient, mailed: Any, tmp_path: Any) -> None:
    mailchimp.control("/members", {"audience": mailchimp.audience.id, "generate": 300})
    running = mailchimp.control(
        "/campaigns", {"audience": mailchimp.audience.id, "subject": "R", "send": True, "seed": 5}
    )
    play(mailchimp, mailed, "pat", "click", HOME)
    mailchimp.control("/clock", {"advance": 3600})
    file = tmp_path / "state"
    save(mailchimp.sandbox, file)
    restored = Sandbox()
    load(restored, file)
    client = SandboxClient(app=create_app(restored), api_key=mailchimp.api_key)
    for campaign in (mailed, running):
        for path in (f"/reports/{campaign['id']}", f"/reports/{campaign['id']}/email-activity"):
            assert client.get(path, count=1000).json == mailchimp.get(path, count=1000).json
    for one in (client, mailchimp):
        one.control("/clock", {"advance": 14 * 86_400})
    path = f"/reports/{running['id']}"
    later, expected = client.get(path).json, mailchimp.get(path).json
    assert later["opens"]["opens_total"] > 0
    assert later == expected


@pytest.mark.slow
def test_a_hundred_thousand_recipients_are_affordable() -> None:
    sandbox = Sandbox.practice()
    client = SandboxClient(sandbox)
    sandbox.clock.run(0)
    client.control("/members", {"audience": client.audience.id, "generate": 100_000})
    started = time.perf_counter()
    made = client.control("/campaigns", {"audience": client.audience.id, "subject": "B", "send": True})
    client.control("/clock", {"advance": 15 * 86_400})
    passed = time.perf_counter() - started
    started = time.perf_counter()
    page = client.get(f"/reports/{made['id']}/email-activity", count=1000, offset=99_000).json
    page_time = time.perf_counter() - started
    assert len(page["emails"]) == 1000
    assert passed < 30
    assert page_time < 1
    mailing = getattr(campaigns_of(sandbox).find(made["id"]), "mailing", None)
    assert len(mailing) == 100_005
    sent = dt.datetime.fromisoformat(client.get(f"/reports/{made['id']}").json["send_time"])
    assert sent.tzinfo is not None
