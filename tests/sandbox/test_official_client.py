"""Mailchimp's own Python client, unmodified, against the sandbox over HTTP, for every path there is (X2).

The client builds `https://<server>.api.mailchimp.com`; `api_client.host` is where it keeps that, and setting
it is all that is needed to point it elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import mailchimp_marketing
import pytest
from mailchimp_marketing.api_client import ApiClientError

from lockstep.sandbox.testing import SandboxServer

CONTACT = {"company": "C", "address1": "1", "city": "T", "state": "S", "zip": "1", "country": "US"}


@pytest.fixture
def client(server: SandboxServer) -> Iterator[Any]:
    client = mailchimp_marketing.Client()
    client.set_config({"api_key": server.api_key, "server": "us6"})
    client.api_client.host = f"{server.url}/3.0"
    return client


@pytest.fixture
def audience(client: Any) -> str:
    return client.lists.get_all_lists()["lists"][0]["id"]  # type: ignore[no-any-return]


def key(address: str) -> str:
    return hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()


def test_ping_and_root(client: Any) -> None:
    assert client.ping.get() == {"health_status": "Everything's Chimpy!"}
    assert client.root.get_root(fields=["account_name"]) == {"account_name": "Example Club"}


def test_an_access_token_is_taken_like_a_key(server: SandboxServer) -> None:
    client = mailchimp_marketing.Client({"access_token": server.api_key, "server": "us6"})
    client.api_client.host = f"{server.url}/3.0"
    assert client.ping.get() == {"health_status": "Everything's Chimpy!"}


def test_lists(client: Any) -> None:
    made = client.lists.create_list(
        {
            "name": "New",
            "contact": CONTACT,
            "permission_reminder": "You asked.",
            "campaign_defaults": {
                "from_name": "C", "from_email": "c@club.example", "subject": "", "language": "en",
            },
            "email_type_option": True,
        }
    )  # fmt: skip
    whole = client.lists.get_list(made["id"])
    assert whole == made
    changed = {name: made[name] for name in ("contact", "permission_reminder", "campaign_defaults")}
    client.lists.update_list(made["id"], changed | {"name": "Newer", "email_type_option": False})
    assert client.lists.get_list(made["id"], fields=["name"]) == {"name": "Newer"}
    assert client.lists.get_all_lists(count=1, offset=1, sort_dir="ASC")["lists"][0]["name"] == "Newer"
    assert client.lists.delete_list(made["id"]).status_code == 204
    with pytest.raises(ApiClientError) as gone:
        client.lists.get_list(made["id"])
    assert gone.value.status_code == 404


def test_merge_fields(client: Any, audience: str) -> None:
    made = client.lists.add_list_merge_field(audience, {"name": "Level", "type": "number", "tag": "LEVEL"})
    number = made["merge_id"]
    assert client.lists.get_list_merge_field(audience, number)["tag"] == "LEVEL"
    client.lists.update_list_merge_field(audience, number, {"name": "Rank", "required": True})
    listed = client.lists.get_list_merge_fields(audience, count=100, type="number", required=True)
    assert [field["name"] for field in listed["merge_fields"]] == ["Rank"]
    assert client.lists.delete_list_merge_field(audience, number).status_code == 204


def test_members(client: Any, audience: str) -> None:
    body = {"email_address": "new@club.example", "status": "subscribed", "merge_fields": {"FNAME": "New"}}
    made = client.lists.add_list_member(audience, body)
    name = key("new@club.example")
    assert made["id"] == name
    assert client.lists.get_list_member(audience, name)["merge_fields"]["FNAME"] == "New"
    put = {"email_address": "put@club.example", "status_if_new": "transactional"}
    assert client.lists.set_list_member(audience, key("put@club.example"), put)["status"] == "transactional"
    patched = client.lists.update_list_member(
        audience, name, {"merge_fields": {"FNAME": "Newer"}}, skip_merge_validation=True
    )
    assert patched["full_name"] == "Newer"
    listed = client.lists.get_list_members_info(
        audience, count=100, status="subscribed", fields=["members.email_address", "total_items"]
    )
    assert listed["total_items"] == 6
    assert {"email_address": "new@club.example"} in listed["members"]
    assert client.lists.delete_list_member(audience, name).status_code == 204
    assert client.lists.get_list_member(audience, name)["status"] == "archived"
    assert client.lists.delete_list_member_permanent(audience, name).status_code == 204
    with pytest.raises(ApiClientError) as refused:
        client.lists.set_list_member(audience, name, body | {"status_if_new": "subscribed"})
    assert refused.value.status_code == 400
    assert "was permanently deleted and cannot be re-imported" in refused.value.text


def test_batch_subscribe(client: Any, audience: str) -> None:
    answer = client.lists.batch_list_members(
        audience,
        {
            "members": [
                {"email_address": "one@club.example", "status_if_new": "subscribed"},
                {"email_address": "pat@club.example", "status_if_new": "subscribed"},
            ],
            "update_existing": False,
        },
        skip_merge_validation=False,
        skip_duplicate_check=True,
    )
    assert (answer["total_created"], answer["error_count"]) == (1, 1)
    assert answer["errors"][0]["error_code"] == "ERROR_CONTACT_EXISTS"


def test_interest_categories(client: Any, server: SandboxServer, audience: str) -> None:
    assert client.lists.get_list_interest_categories(audience)["categories"] == []
    with pytest.raises(ApiClientError) as unknown:
        client.lists.list_interest_category_interests(audience, "none")
    assert unknown.value.status_code == 404


def test_a_wrong_key_is_the_clients_error(server: SandboxServer) -> None:
    client = mailchimp_marketing.Client({"api_key": "0" * 32 + "-us6", "server": "us6"})
    client.api_client.host = f"{server.url}/3.0"
    with pytest.raises(ApiClientError) as refused:
        client.ping.get()
    assert refused.value.status_code == 401
    assert "API Key Invalid" in refused.value.text
