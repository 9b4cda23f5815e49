"""Mailchimp's own Python client, unmodified: tags, segments, webhooks, batches, campaigns, reports (X2).

Together with `test_official_client.py` every path is called; the last test here counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import mailchimp_marketing
import pytest
from mailchimp_marketing.api_client import ApiClientError

from lockstep.sandbox.testing import SandboxServer

from .played import DONATE, HOME, Played, set_up, uncalled

PAT, KIM, SAM = (f"{name}@club.example" for name in ("pat", "kim", "sam"))


def key(address: str) -> str:
    return hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def client(server: SandboxServer) -> Iterator[Any]:
    client = mailchimp_marketing.Client()
    client.set_config({"api_key": server.api_key, "server": "us6"})
    client.api_client.host = f"{server.url}/3.0"
    return client


@pytest.fixture
def played(server: SandboxServer) -> Played:
    return set_up(server.sandbox)


def tags_and_segments(client: Any, played: Played) -> None:
    lists, audience = client.lists, played.audience
    changed = lists.update_list_member_tags(
        audience, key(PAT), {"tags": [{"name": "Volunteer", "status": "active"}]}
    )
    assert changed.status_code == 204
    assert [tag["name"] for tag in lists.get_list_member_tags(audience, key(PAT))["tags"]] == ["Volunteer"]
    assert lists.tag_search(audience, name="VOL")["total_items"] == 1
    condition = {"condition_type": "EmailAddress", "field": "EMAIL", "op": "starts", "value": "pat"}
    saved = lists.create_segment(
        audience, {"name": "Pats", "options": {"match": "all", "conditions": [condition]}}
    )
    assert (saved["type"], saved["member_count"]) == ("saved", 1)
    static = lists.create_segment(audience, {"name": "Some", "static_segment": [PAT]})
    lists.update_segment(audience, static["id"], {"name": "Others"})
    batch = lists.batch_segment_members({"members_to_add": [KIM, "no@club.example"]}, audience, static["id"])
    assert (batch["total_added"], batch["error_count"]) == (1, 1)
    lists.create_segment_member(audience, static["id"], {"email_address": SAM})
    assert lists.get_segment_members_list(audience, static["id"], count=100)["total_items"] == 3
    assert lists.remove_segment_member(audience, static["id"], key(SAM)).status_code == 204
    assert lists.get_segment(audience, static["id"], include_cleaned=True)["member_count"] == 2
    assert {row["name"] for row in lists.list_segments(audience, count=100)["segments"]} == {
        "Volunteer", "Pats", "Others",
    }  # fmt: skip
    assert lists.delete_segment(audience, static["id"]).status_code == 204
    category = lists.get_list_interest_categories(audience)["categories"][0]["id"]
    assert lists.list_interest_category_interests(audience, category)["total_items"] == 2
    assert client.searchMembers.search("pat@club.example")["exact_matches"]["total_items"] == 1


def webhooks(client: Any, played: Played) -> None:
    lists, audience = client.lists, played.audience
    body = {"url": "http://127.0.0.1:9/hook", "events": {"subscribe": True}, "sources": {"user": True}}
    made = lists.create_list_webhook(audience, body)
    assert len(made["signing_secret"]) == 32
    lists.update_list_webhook(audience, made["id"], {"events": {"cleaned": True}})
    assert lists.get_list_webhook(audience, made["id"])["events"]["cleaned"] is True
    assert lists.get_list_webhooks(audience)["total_items"] == 1
    assert lists.delete_list_webhook(audience, made["id"]).status_code == 204


def batches(client: Any, played: Played) -> None:
    made = client.batches.start({"operations": [{"method": "GET", "path": "/ping", "operation_id": "a"}]})
    state = next(
        s for s in (client.batches.status(made["id"]) for _ in range(100)) if s["status"] == "finished"
    )
    assert state["response_body_url"].startswith("http://127.0.0.1")
    assert client.batches.list(count=5)["total_items"] == 1
    assert client.batches.delete_request(made["id"]).status_code == 204
    hook = client.batchWebhooks.create({"url": "http://127.0.0.1:9/batch"})
    client.batchWebhooks.update(hook["id"], {"enabled": False})
    assert client.batchWebhooks.get(hook["id"])["enabled"] is False
    assert client.batchWebhooks.list()["total_items"] == 1
    assert client.batchWebhooks.remove(hook["id"]).status_code == 204


def campaigns_and_reports(client: Any, played: Played) -> None:
    reports, campaign = client.reports, played.campaign
    assert [row["id"] for row in client.campaigns.list(status="sent")["campaigns"]] == [campaign]
    assert client.campaigns.get(campaign)["settings"]["subject_line"] == "Spring"
    assert reports.get_all_campaign_reports(count=10)["reports"][0]["emails_sent"] == 5
    assert reports.get_campaign_report(campaign)["clicks"]["clicks_total"] == 1
    assert reports.get_campaign_recipients(campaign, count=100)["total_items"] == 5
    assert reports.get_campaign_open_details(campaign)["total_opens"] == 1
    links = reports.get_campaign_click_details(campaign)["urls_clicked"]
    assert [link["url"] for link in links] == [HOME, DONATE]
    link = links[0]["id"]
    assert reports.get_campaign_click_details_for_link(campaign, link)["unique_clicks"] == 1
    assert reports.get_subscribers_info(campaign, link)["members"][0]["clicks"] == 1
    assert reports.get_email_activity_for_campaign(campaign, count=2)["total_items"] == 5
    one = reports.get_email_activity_for_subscriber(campaign, key(PAT))
    assert [event["action"] for event in one["activity"]] == ["open", "click"]
    assert reports.get_unsubscribed_list_for_campaign(campaign)["total_items"] == 0
    done = client.lists.get_list_member_activity(played.audience, key(PAT), action=["open", "click"])
    assert [row["action"] for row in done["activity"]] == ["click", "open"]
    feed = client.lists.get_list_member_activity_feed(played.audience, key(PAT), count=10)
    assert feed["activity"][0]["activity_type"] == "click"


def the_rest(client: Any, played: Played) -> None:
    """What `test_official_client.py` looks at closely."""
    lists, audience = client.lists, played.audience
    contact = {"company": "C", "address1": "1", "city": "T", "state": "S", "zip": "1", "country": "US"}
    defaults = {"from_name": "C", "from_email": "c@club.example", "subject": "", "language": "en"}
    body = {"name": "New", "contact": contact, "permission_reminder": "R", "campaign_defaults": defaults,
            "email_type_option": True}  # fmt: skip
    made = lists.create_list(body)
    lists.update_list(made["id"], body | {"name": "Newer"})
    assert lists.get_list(made["id"])["name"] == "Newer"
    lists.delete_list(made["id"])
    assert lists.get_all_lists()["total_items"] == 1
    field = lists.add_list_merge_field(audience, {"name": "Level", "type": "number", "tag": "LEVEL"})
    lists.update_list_merge_field(audience, field["merge_id"], {"name": "Rank"})
    assert lists.get_list_merge_field(audience, field["merge_id"])["name"] == "Rank"
    lists.get_list_merge_fields(audience)
    lists.delete_list_merge_field(audience, field["merge_id"])
    lists.add_list_member(audience, {"email_address": "new@club.example", "status": "subscribed"})
    lists.set_list_member(audience, key("new@club.example"), {"email_address": "new@club.example"})
    lists.update_list_member(audience, key("new@club.example"), {"vip": True})
    assert lists.get_list_member(audience, key("new@club.example"))["vip"] is True
    lists.get_list_members_info(audience)
    lists.batch_list_members(audience, {"members": [], "update_existing": True})
    lists.delete_list_member(audience, key("new@club.example"))
    lists.delete_list_member_permanent(audience, key("new@club.example"))
    client.ping.get()
    client.root.get_root()


def test_every_path(client: Any, played: Played, server: SandboxServer) -> None:
    for part in (tags_and_segments, webhooks, batches, campaigns_and_reports, the_rest):
        part(client, played)
    assert uncalled(server) == set()


def test_a_webhook_that_cannot_be_reached_is_the_clients_error(client: Any, played: Played) -> None:
    with pytest.raises(ApiClientError) as refused:
        client.lists.create_list_webhook(played.audience, {"url": "nonsense", "events": {"subscribe": True}})
    assert refused.value.status_code == 400
    assert "Invalid URL" in refused.value.text
