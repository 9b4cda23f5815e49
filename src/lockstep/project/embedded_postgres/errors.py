"""What can go wrong with the embedded PostgreSQL, told to the person who started it."""

__all__ = ["EmbeddedPostgresError"]


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL can't run here. The text says why and what to do now."""
