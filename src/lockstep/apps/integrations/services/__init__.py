"""Verbs about access tokens. Those a person uses ask the actor's permission."""

from lockstep.apps.integrations.services.answers import KeyMismatch, answer_once, forget_answers
from lockstep.apps.integrations.services.tokens import (
    Allowance,
    Grant,
    create_token,
    grant,
    revoke_token,
    spend_call,
)

__all__ = [
    "Allowance",
    "Grant",
    "KeyMismatch",
    "answer_once",
    "create_token",
    "forget_answers",
    "grant",
    "revoke_token",
    "spend_call",
]
