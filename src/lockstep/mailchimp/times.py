"""Mailchimp's moments: ISO 8601, `YYYY-MM-DD HH:MM:SS` without a zone, and "" for "never"."""

from __future__ import annotations

from datetime import UTC, datetime


def read_moment(text: str) -> datetime | None:
    """The moment in UTC, or None for "" (Mailchimp's "never", contract 2) and for what is no time at all.

    A time without a zone is taken as UTC (webhooks' `fired_at`, contract 8).
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def write_moment(moment: datetime) -> str:
    """A moment as query parameters take it: UTC, whole seconds, which is Mailchimp's resolution (contract 2).

    Raises ValueError for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
