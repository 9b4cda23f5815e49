"""Brings a database up to date and fills a new one: between a running PostgreSQL and running processes.

``lockstep up`` runs it in a process of its own, so that the supervisor never loads Django.
"""

from collections.abc import Callable

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

__all__ = ["create_first_data", "migrate_database", "prepare_static_files"]

#: Any number that no one else uses: PostgreSQL's advisory lock for "somebody is migrating".
_MIGRATING = 7_203_551_884


def migrate_database(say: Callable[[str], None]) -> int:
    """Apply what migrations are missing; how many there were.

    Several hosts may do so at once: one works, the others wait and find nothing to do. Raises Django's
    database errors.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATING])
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                say(f"Bringing the database up to date ({len(plan)} steps)")
                call_command("migrate", interactive=False, verbosity=0)
            return len(plan)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])


def prepare_static_files() -> None:
    """Collect, hash and compress styles and scripts into the data folder, where they changed."""
    if settings.STATIC_ROOT is None:
        return
    seen = sorted(
        (path, storage.get_modified_time(path).timestamp())
        for finder in get_finders()
        for path, storage in finder.list(["CVS", ".*", "*~"])
    )
    note = settings.STATIC_ROOT / "sources.txt"
    state = "".join(f"{time:.6f} {path}\n" for path, time in seen)
    if note.exists() and note.read_text() == state:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=settings.STATIC_ROOT.exists())
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    note.write_text(state)


def create_first_data(*, email: str, password: str, with_sample: bool, say: Callable[[str], None]) -> bool:
    """Create a first company, its admin and the sample book in an installation that has none.

    All or nothing, and once: what people then delete stays deleted. Returns whether ``email`` and
    ``password`` can sign in now.
    """
    from django.contrib.auth import get_user_model

    from lockstep.apps.accounts.models import Company
    from lockstep.apps.accounts.services import create_first_company
    from lockstep.apps.book.sample import load_sample

    with transaction.atomic():
        is_new = not Company.objects.exists()
        company, _ = create_first_company(
            name="Sample Promotions", email=email, password=password, first_name="Alex", last_name="Admin"
        )
        if is_new and with_sample:
            say("Loading the sample data")
            load_sample(company)
    user = get_user_model().objects.filter(email__iexact=email, is_active=True).first()
    return user is not None and user.check_password(password)
