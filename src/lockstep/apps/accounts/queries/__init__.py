"""Nouns that read accounts: within the actor's company, a constant number of queries each."""

from lockstep.apps.accounts.queries.people import (
    PersonRow,
    SignInRow,
    open_invitations,
    own_sign_ins,
    people,
    person,
    sign_ins,
    with_second_factor,
)

__all__ = [
    "PersonRow",
    "SignInRow",
    "open_invitations",
    "own_sign_ins",
    "people",
    "person",
    "sign_ins",
    "with_second_factor",
]
