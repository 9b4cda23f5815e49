"""What the services of accounts raise. Every text is for the person who asked.

AccountsError
├── Refused      some fields can't be taken as given; `fields` says which and why
├── MailNotSent  everything is saved, but the mail did not leave
└── NotFound     no such person or invitation in this company
"""

from __future__ import annotations

from collections.abc import Mapping


class AccountsError(Exception):
    """Refused; nothing was written unless the class says so."""


class Refused(AccountsError):
    """Some fields can't be taken; `fields` maps an argument's name to why, '' is about the whole."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(" ".join(self.fields.values()))


class MailNotSent(AccountsError):
    """The invitation is kept, its mail could not be handed over; sending it again may help."""

    def __init__(self) -> None:
        super().__init__(
            "The invitation is saved, but the mail server did not take the mail. "
            "Have the mail settings checked, then choose Send again."
        )


class NotFound(AccountsError):
    """There is no such thing in the actor's company."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"This {what} does not exist, or you can't see it.")
