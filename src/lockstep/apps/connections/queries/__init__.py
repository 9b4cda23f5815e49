"""Nouns of connections. Those of `audiences` and `preflight` ask Mailchimp, the others the database only."""

from lockstep.apps.connections.queries.audiences import audiences
from lockstep.apps.connections.queries.current import accounts_of, connections_of, current_connection
from lockstep.apps.connections.queries.picks import Choice, any_of, choices, clauses, in_words, names_of
from lockstep.apps.connections.queries.preflight import (
    Check,
    CheckKind,
    Verdict,
    check_audience,
    preflight,
)

__all__ = [
    "Check",
    "CheckKind",
    "Choice",
    "Verdict",
    "accounts_of",
    "any_of",
    "audiences",
    "check_audience",
    "choices",
    "clauses",
    "connections_of",
    "current_connection",
    "in_words",
    "names_of",
    "preflight",
]
