"""What row-level security of PostgreSQL would cost: pages and bulk writes, with and without it.

The second time every table that has a company gets a policy, and the connection works as a role that does
not own the tables, with the company in a setting: as web processes would have to. Nothing of it is kept.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

ROLE = "lockstep_bench_web"

WRITES = {
    "update 50,000 contacts": """
        UPDATE book_contact SET cell = cell || '1' WHERE company_id = %(company)s
        AND id IN (SELECT id FROM book_contact WHERE company_id = %(company)s ORDER BY id LIMIT 50000)""",
    "add 20,000 contacts": """
        INSERT INTO book_contact (company_id, client_id, first_name, last_name, position, email, phone,
            extension, cell, fax, tag_ids, no_marketing, no_marketing_reason, active, external_id, line1,
            line2, city, state, postal_code, country, created_at, updated_at)
        SELECT company_id, client_id, first_name, last_name, position, 'x' || email, phone, extension, cell,
            fax, tag_ids, no_marketing, no_marketing_reason, active, '', line1, line2, city, state,
            postal_code, country, now(), now()
        FROM book_contact WHERE company_id = %(company)s ORDER BY id LIMIT 20000""",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench row_security")
    parser.add_argument("--clients", type=int, default=120_000)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "ERROR")

    import django

    django.setup()
    from benchmarks import pages

    company = pages._book(options.clients, options.contacts)
    browser = pages._sign_in(company)
    cases = [case for case in pages._cases(company) if options.only in case.name]

    def measure() -> dict[str, tuple[float, float]]:
        found = {}
        for case in cases:
            taken = sorted(pages._measure(browser, case, options.times, random.Random(f"5 {case.name}")))
            found[case.name] = (statistics.median(taken), taken[max(0, round(0.95 * len(taken)) - 1)])
        for name, sql in WRITES.items():
            taken = [_write(sql, company.pk) for _ in range(3)]
            found[name] = (statistics.median(taken), max(taken))
        return found

    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    plain = measure()
    with_policies = _under_policies(company.pk, measure)
    print("\n| | without: median, 95 in 100 | with: median, 95 in 100 | times |\n|---|---|---|---|")
    for name, (median, worst) in plain.items():
        other, other_worst = with_policies[name]
        print(
            f"| {name} | {median * 1000:.0f}, {worst * 1000:.0f} ms "
            f"| {other * 1000:.0f}, {other_worst * 1000:.0f} ms | {other / median:.1f} |"
        )
    return 0


def _write(sql: str, company: int) -> float:
    """Seconds of one statement, which is taken back."""
    from django.db import connection, transaction

    with transaction.atomic():
        begun = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(sql, {"company": company})
        taken = time.perf_counter() - begun
        transaction.set_rollback(True)
    return taken


def _under_policies(company: int, measure: Callable[[], Any]) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND column_name = 'company_id' ORDER BY 1"
        )
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(f"DROP ROLE IF EXISTS {ROLE}")
        cursor.execute(f"CREATE ROLE {ROLE}")
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
        cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
        try:
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
                cursor.execute(
                    f"CREATE POLICY bench ON {table}"
                    " USING (company_id = (SELECT current_setting('app.company')::bigint))"
                )
            cursor.execute("SELECT set_config('app.company', %s, false)", [str(company)])
            cursor.execute(f"SET ROLE {ROLE}")
            return measure()
        finally:
            cursor.execute("RESET ROLE")
            for table in tables:
                cursor.execute(f"DROP POLICY IF EXISTS bench ON {table}")
                cursor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            cursor.execute(f"DROP OWNED BY {ROLE}")
            cursor.execute(f"DROP ROLE {ROLE}")
