"""The pages: an audience with its members, and playing them."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from lockstep.sandbox.testing import Answer, SandboxClient

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "http://sandbox.test"}


class Pages:
    def __init__(self, mailchimp: SandboxClient) -> None:
        self.mailchimp = mailchimp
        self.audience = f"/audiences/{mailchimp.audience.id}"
        self.api = f"/lists/{mailchimp.audience.id}/members"

    def get(self, path: str, **query: str) -> Answer:
        return self.mailchimp.raw("GET", path, query=query)

    def post(self, path: str, **form: str) -> Answer:
        return self.mailchimp.raw("POST", path, urlencode(form).encode(), headers=FORM)

    def status(self, address: str = "pat@club.example") -> str | None:
        answer = self.mailchimp.get(f"{self.api}/{address}")
        return None if answer.status == 404 else answer.json["status"]


@pytest.fixture
def pages(mailchimp: SandboxClient) -> Pages:
    return Pages(mailchimp)


def test_every_page_says_that_it_is_practice(pages: Pages) -> None:
    for path in ("/", pages.audience, f"{pages.audience}/members/pat@club.example", "/subscribe"):
        answer = pages.get(path, id=pages.mailchimp.audience.id)
        assert answer.status == 200
        assert "Practice Mailchimp &mdash; not the real one" in answer.text


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("unsubscribe", "unsubscribed"), ("complain", "unsubscribed"), ("admin_unsubscribe", "unsubscribed"),
        ("bounce", "cleaned"), ("archive", "archived"), ("delete", None),
    ],
)  # fmt: skip
def test_a_member_can_be_played(pages: Pages, what: str, status: str | None) -> None:
    page = f"{pages.audience}/members/pat@club.example"
    assert f'value="{what}"' in pages.get(page).text
    done = pages.post(page, what=what)
    assert done.status == 303
    assert pages.status() == status
    assert pages.get(done.headers["location"].partition("?")[0]).status == 200


def test_an_edit_as_the_person_also_renames_and_clears(pages: Pages) -> None:
    page = f"{pages.audience}/members/pat@club.example"
    done = pages.post(page, what="edit", EMAIL="patricia@club.example", FNAME="Zoë <b>", LNAME="")
    assert done.status == 303
    member = pages.mailchimp.get(f"{pages.api}/patricia@club.example").json
    assert (member["merge_fields"]["FNAME"], member["merge_fields"]["LNAME"]) == ("Zoë <b>", "")
    shown = pages.get(f"{pages.audience}/members/patricia@club.example").text
    assert "Zoë &lt;b&gt;" in shown
    assert "<b>" not in shown


def test_what_makes_no_sense_is_explained_on_the_page(pages: Pages) -> None:
    answer = pages.post(f"{pages.audience}/members/pat@club.example", what="confirm")
    assert answer.status == 400
    assert "there is nothing to confirm" in answer.text


def test_search_status_and_paging(pages: Pages) -> None:
    pages.mailchimp.control("/members", {"audience": pages.mailchimp.audience.id, "generate": 60})
    assert "page 1 of 2" in pages.get(pages.audience).text
    assert "person64@people.example" in pages.get(pages.audience, page="2").text
    found = pages.get(pages.audience, q="hadd").text
    assert ("noor@club.example" in found, "pat@club.example" in found) == (True, False)
    pages.post(f"{pages.audience}/members/pat@club.example", what="archive")
    assert "pat@club.example" not in pages.get(pages.audience, q="pat@").text.partition("<table>")[2]
    assert "pat@club.example" in pages.get(pages.audience, status="archived").text


def test_the_sign_up_form_is_where_the_audience_says_and_brings_the_forgotten_back(pages: Pages) -> None:
    pages.mailchimp.post(f"{pages.api}/pat@club.example/actions/delete-permanent")
    address = pages.mailchimp.get(f"/lists/{pages.mailchimp.audience.id}").json["subscribe_url_long"]
    path, _, query = address.removeprefix("http://sandbox.test").partition("?")
    given = dict(pair.split("=") for pair in query.split("&"))
    assert pages.get(path, **given).status == 200
    body = urlencode({"EMAIL": "pat@club.example", "FNAME": "Pat"}).encode()
    done = pages.mailchimp.raw("POST", path, body, query=given, headers=FORM)
    assert "pat@club.example has signed up" in done.text
    assert pages.status() == "subscribed"


def test_double_opt_in_makes_the_form_wait_for_the_person(pages: Pages) -> None:
    pages.mailchimp.patch(f"/lists/{pages.mailchimp.audience.id}", {"double_optin": True})
    audience = pages.mailchimp.audience.id
    body = urlencode({"EMAIL": "new@club.example"}).encode()
    pages.mailchimp.raw("POST", "/subscribe", body, query={"id": audience}, headers=FORM)
    assert pages.status("new@club.example") == "pending"
    pages.post(f"{pages.audience}/members/new@club.example", what="confirm")
    assert pages.status("new@club.example") == "subscribed"


def test_pages_of_other_sites_cannot_write(pages: Pages) -> None:
    page = f"{pages.audience}/members/pat@club.example"
    headers = FORM | {"origin": "http://evil.example"}
    for path in (page, "/_sandbox/reset"):
        assert pages.mailchimp.raw("POST", path, b"what=delete", headers=headers).status == 403
    assert pages.status() == "subscribed"


@pytest.mark.parametrize(
    "path", ["/audiences/none", "/audiences/none/members/x", "/s/none", "/subscribe?id=none"]
)
def test_what_is_not_there_is_404(pages: Pages, path: str) -> None:
    assert pages.get(path).status == 404
