"""Every error belongs to the family, is documented, and never says who it is about."""

from __future__ import annotations

import inspect

import pytest

from lockstep.mailchimp import errors
from lockstep.mailchimp.errors import Advice, Facts, MailchimpError

EVERY_ERROR = [
    cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BaseException)
]


@pytest.mark.parametrize("cls", EVERY_ERROR)
def test_derives_from_the_base_and_is_documented(cls: type[MailchimpError]) -> None:
    assert issubclass(cls, MailchimpError)
    assert cls.__doc__
    assert cls.__doc__.strip()
    assert cls.__doc__ not in {base.__doc__ for base in cls.__mro__[1:]}
    if cls is not MailchimpError:
        tree = {line.partition("── ")[2].partition(" ")[0] for line in (errors.__doc__ or "").splitlines()}
        assert cls.__name__ in tree


@pytest.mark.parametrize("cls", EVERY_ERROR)
def test_speaks_its_docstring_and_keeps_mailchimps_words_apart(cls: type[MailchimpError]) -> None:
    facts = Facts("members.put", 400, "Member Exists", "pat@example.com is already a list member.", "req-1")

    error = cls("", facts)

    assert str(error).startswith((cls.__doc__ or "").strip().splitlines()[0])
    assert "pat@example.com" not in str(error)
    assert "pat@example.com" not in repr(error)
    assert error.detail == "pat@example.com is already a list member."
    assert "call members.put" in str(error)
    assert "HTTP 400" in str(error)
    assert "instance req-1" in str(error)


def test_advice_by_branch() -> None:
    by_branch = {
        errors.NotSent: Advice.RETRY,
        errors.AnswerLost: Advice.RETRY,
        errors.UnreadableReply: Advice.RETRY,
        errors.Busy: Advice.RETRY,
        errors.AccountRefused: Advice.STOP,
        errors.RequestRefused: Advice.SKIP,
        errors.InvalidCall: Advice.STOP,
        errors.OAuthRefused: Advice.STOP,
    }
    for branch, advice in by_branch.items():
        for cls in EVERY_ERROR:
            if issubclass(cls, branch):
                assert cls.advice is advice, cls
