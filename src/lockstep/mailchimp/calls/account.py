"""Calls about the account itself (contract 1.4)."""

from __future__ import annotations

from lockstep.mailchimp.calls.call import Call, query
from lockstep.mailchimp.replies import Reader
from lockstep.mailchimp.wire import AccountRoot, Ping, SearchMembers

_ROOT = Reader(AccountRoot)
_PING = Reader(Ping)
_SEARCH = Reader(SearchMembers)


def get_root() -> Call[AccountRoot]:
    return Call("root.get", "GET", "/", _ROOT)


def ping() -> Call[Ping]:
    return Call("ping", "GET", "/ping", _PING)


def search_members(text: str, *, list_id: str = "") -> Call[SearchMembers]:
    """Finds members by part of a name or address, in one audience or in all."""
    return Call(
        "members.search",
        "GET",
        "/search-members",
        _SEARCH,
        query({"query": text, "list_id": list_id}),
    )
