"""A PostgreSQL of Lockstep's own: binaries from a wheel, data in one folder, reachable by one socket only."""

from lockstep.project.embedded_postgres.errors import EmbeddedPostgresError
from lockstep.project.embedded_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
