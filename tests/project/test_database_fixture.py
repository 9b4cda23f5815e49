"""The session's database is a real PostgreSQL with our migrations' framework tables."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_tests_run_on_postgresql_15_or_newer() -> None:
    assert connection.vendor == "postgresql"
    assert connection.pg_version >= 15_00_00


@pytest.mark.django_db
def test_jobs_have_their_tables() -> None:
    assert "procrastinate_jobs" in connection.introspection.table_names()
