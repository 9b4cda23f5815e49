"""Nouns of connections. Those of `audiences` and `preflight` ask Mailchimp, the others the database only."""

from lockstep.apps.connections.queries.audiences import audiences
from lockstep.apps.connections.queries.current import accounts_of, connections_of, current_connection
from lockstep.apps.connections.queries.preflight import Check, CheckKind, Verdict, preflight

__all__ = [
    "Check",
    "CheckKind",
    "Verdict",
    "accounts_of",
    "audiences",
    "connections_of",
    "current_connection",
    "preflight",
]
