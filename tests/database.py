"""Which PostgreSQL the test session uses."""

import os

__all__ = ["database_url"]


def database_url() -> str:
    """The address given from outside, or libpq's own default."""
    return os.environ.get("DATABASE_URL") or "postgres:///postgres"
