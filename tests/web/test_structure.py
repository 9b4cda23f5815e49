"""What every page must be: each control named, each reference leading somewhere, nothing inline that runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.book.models import Import
from lockstep.apps.book.services.imports import run_import
from lockstep.web.lists.kinds import KINDS

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_REFERENCES = (
    "aria-labelledby",
    "aria-describedby",
    "aria-controls",
    "commandfor",
    "popovertarget",
    "form",
    "list",
)


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element] = []
        self.text = ""

    def all(self) -> Iterator[Element]:
        for child in self.children:
            yield child
            yield from child.all()

    def words(self) -> str:
        """What a screen reader finds inside."""
        if self.attributes.get("aria-hidden") == "true":
            return ""
        own = self.attributes.get("aria-label", "") or self.attributes.get("alt", "")
        return " ".join([own, self.text, *(child.words() for child in self.children)]).strip()

    def inside(self, tag: str) -> bool:
        return self.parent is not None and (self.parent.tag == tag or self.parent.inside(tag))

    def __repr__(self) -> str:
        return f"<{self.tag} {self.attributes}>"


class Tree(HTMLParser):
    """A strict reading: every element is closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = self.here = Element("root", {}, None)
        self.feed(html)
        assert self.here is self.root, f"{self.here} is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(element)
        if tag not in _VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Element(tag, {name: value or "" for name, value in attrs}, self.here))

    def handle_endtag(self, tag: str) -> None:
        assert self.here.tag == tag, f"</{tag}> closes {self.here}"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.text += data


def check(html: str) -> None:
    """Raise with what is wrong with a page."""
    elements = list(Tree(html).root.all())
    ids = Counter(element.attributes["id"] for element in elements if "id" in element.attributes)
    labels = {
        e.attributes["for"] for e in elements if e.tag == "label" and "for" in e.attributes and e.words()
    }
    assert [name for name, times in ids.items() if times > 1] == []
    assert sum(element.tag == "h1" for element in elements) <= 1
    for element in elements:
        attributes = element.attributes
        for reference in _REFERENCES:
            if reference == "form" and element.tag == "form":
                continue
            for target in attributes.get(reference, "").split():
                assert target in ids, f"{element} refers to #{target}, which is not there"
        assert not [name for name in attributes if name.startswith("on")], element
        assert not (
            element.tag == "script" and element.text.strip() and attributes.get("type") != "application/json"
        )
        assert element.tag != "style"
        assert not attributes.get("href", "").startswith("javascript"), element
        assert attributes.get("href") != "#", f"{element} leads nowhere"
        if element.tag in {"a", "button"}:
            assert element.words() or attributes.get("aria-label"), f"{element} has no name"
        if element.tag in {"input", "select", "textarea"} and attributes.get("type") != "hidden":
            named = attributes.get("id") in labels or attributes.get("aria-label") or element.inside("label")
            assert named, f"{element} has no label"
        if element.tag == "button":
            assert (
                attributes.get("type", "submit") != "submit" or element.inside("form") or "form" in attributes
            ), f"{element} submits nothing"
        if element.tag == "table":
            caption = any(child.tag == "caption" for child in element.children)
            assert caption or attributes.get("aria-label"), f"{element} has no caption"
        if element.tag == "form" and attributes.get("method", "").lower() == "post":
            tokens = [
                child for child in element.all() if child.attributes.get("name") == "csrfmiddlewaretoken"
            ]
            assert len(tokens) == 1, f"{element} has {len(tokens)} tokens"


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ("<p id=a></p><p id=a></p>", r"\['a'\]"),
        ("<button></button>", "has no name"),
        ("<form><button><svg aria-hidden=true>x</svg></button></form>", "has no name"),
        ("<input name=a>", "has no label"),
        ("<p aria-labelledby=gone></p>", "#gone"),
        ("<table></table>", "no caption"),
        ("<a href='#'>x</a>", "leads nowhere"),
        ("<div><p></div>", "closes"),
        ("<form method=post></form>", "0 tokens"),
        ("<button>Go</button>", "submits nothing"),
    ],
)
def test_the_check_finds_what_is_wrong(html: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check(html)


@pytest.mark.django_db
def test_every_page(browser_of: Callable[[Seat], Browser]) -> None:
    seat = SeatFactory()
    browser = browser_of(seat)
    empty = browser.get("/clients").text
    status = ListValueFactory(company=seat.company, name="Key account", glyph="star")
    client = ClientFactory(company=seat.company, status=status, rep=seat.user)
    contact = ContactFactory(client=client, no_marketing=True)
    ContactFactory(client=client, email="")
    deleted = ContactFactory(client=client)
    colleague = SeatFactory(company=seat.company)
    TagFactory(company=seat.company)
    ListValueFactory(company=seat.company, retired=True)
    browser.post("/settings/users/invite", {"email": "new@x.example", "role": "sales"})
    browser.post(f"/contacts/{deleted.pk}/delete")
    pages = {"empty book": empty}
    addresses = [
        *("/clients", "/clients?q=nobody", f"/clients?status={status.pk}&show=inactive", "/clients/new"),
        *(f"/clients/{client.pk}{tab}" for tab in ("", "/contacts", "/activity", "/edit", "/contacts/new")),
        *("/contacts", "/contacts?q=nobody"),
        *(f"/contacts/{contact.pk}{tab}" for tab in ("", "/marketing", "/history", "/edit")),
        *(f"/contacts/{deleted.pk}", "/styleguide", "/settings/profile", "/nothing-here", "/import"),
        *("/accounts/password/change/", "/accounts/2fa/", "/accounts/logout/"),
        *(f"/settings/{page}" for page in ("sign-in", "company", "roles", "users", "users/invite")),
        *(f"/settings/{page}" for page in ("sign-ins", "audit", f"users/{colleague.pk}")),
        *(f"/settings/lists/{kind}" for kind in KINDS),
        *(f"/settings/lists/statuses/{status.pk}/{page}" for page in ("edit", "merge")),
        *("/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/"),
    ]
    for address in addresses:
        pages[address] = browser.get(address, follow=True).text
    browser.post("/import", {"file": SimpleUploadedFile("a.csv", b"Company,Email\nFern,a@b.example\n,x\n")})
    parent = Import.objects.get()
    pages["import, checking"] = browser.get(f"/import/{parent.pk}").text
    run_import(parent.pk)
    pages["import, checked"] = browser.get(f"/import/{parent.pk}").text
    for address in ("/accounts/login/", "/accounts/password/reset/", "/accounts/signup/"):
        pages[f"stranger {address}"] = Browser().get(address).text
    for name, html in pages.items():
        try:
            check(html)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


@pytest.mark.django_db
def test_every_fragment_closes_what_it_opens(browser_of: Callable[[Seat], Browser]) -> None:
    seat = SeatFactory()
    browser = browser_of(seat)
    contact = ContactFactory(company=seat.company)
    for address in (
        "/clients",
        "/contacts",
        f"/clients/{contact.client_id}/contacts",
        f"/clients/{contact.client_id}/nested",
        f"/contacts/{contact.pk}/row",
        f"/contacts/{contact.pk}/edit?in=row",
        f"/contacts/{contact.pk}/edit?in=dialog",
        *("/pulse", "/settings/sign-ins", "/settings/audit", "/settings/lists/statuses"),
    ):
        html = browser.get(address, headers={"HX-Request": "true"}).text
        assert "<html" not in html, address
        Tree(html)
