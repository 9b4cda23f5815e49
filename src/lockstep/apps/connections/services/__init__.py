"""Verbs of connections: connect, choose an audience, say who is synced, disconnect."""

from lockstep.apps.connections.services.accounts import (
    begin_oauth,
    check_again,
    connect_api_key,
    disconnect,
    finish_oauth,
    note_broken,
)
from lockstep.apps.connections.services.audiences import (
    OFFERED,
    find_connection,
    make_fields_optional,
    save_automatic_work,
    save_preferences,
    select_audience,
)
from lockstep.apps.connections.services.member_tags import PREFIX_LENGTH, TagSettings, save_member_tags

__all__ = [
    "OFFERED",
    "PREFIX_LENGTH",
    "TagSettings",
    "begin_oauth",
    "check_again",
    "connect_api_key",
    "disconnect",
    "find_connection",
    "finish_oauth",
    "make_fields_optional",
    "note_broken",
    "save_automatic_work",
    "save_member_tags",
    "save_preferences",
    "select_audience",
]
