"""The family of sync errors: complete, and told apart."""

import inspect

from lockstep.core import engine, errors


def test_every_error_of_the_core_is_of_the_family() -> None:
    found = [
        thing
        for module in (errors, engine)
        for _, thing in inspect.getmembers(module, inspect.isclass)
        if issubclass(thing, BaseException) and thing.__module__.startswith("lockstep.core")
    ]
    assert len(found) > 4
    assert all(issubclass(error, errors.SyncError) for error in found)


def test_errors_carry_what_the_caller_needs() -> None:
    assert errors.AudienceUnavailable(12.0, "<html>").retry_after == 12.0
    assert errors.ConnectionBroken(errors.BrokenKind.KEY_REVOKED).kind is errors.BrokenKind.KEY_REVOKED
    assert "12 s" in str(errors.AudienceUnavailable(12.0))
