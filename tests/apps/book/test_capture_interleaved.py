"""No interleaving of transactions, readers and crashes loses a change.

Two writers with open transactions change everything that a member is made of; a reader takes recorded changes
away and brings its mirror of the touched contacts up to date. Whatever the order of commits, roll-backs and
crashes, once everybody has finished and the reader has read on, the mirror is the book.
"""

import os

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from psycopg import errors
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.book.models import Change, ClientAddress, ListValue, Tag

MEMBERS = """
    SELECT k.id, row_to_json(m)::text FROM book_contact k
    JOIN book_client c ON c.id = k.client_id
    LEFT JOIN book_clientaddress a ON a.client_id = c.id AND a.is_primary
    LEFT JOIN book_listvalue s ON s.id = c.status_id
    LEFT JOIN book_listvalue d ON d.id = k.department_id
    LEFT JOIN accounts_user u ON u.id = c.rep_id,
    LATERAL (SELECT k.first_name, k.email, k.no_marketing, k.active, k.deleted_at IS NULL AS there, c.name,
        coalesce(nullif(k.state, ''), a.state) AS state, s.name AS status, d.name AS department,
        u.last_name AS rep,
        (SELECT string_agg(t.name, ',' ORDER BY t.id) FROM book_tag t WHERE t.id = ANY (k.tag_ids)) AS tags,
        (SELECT string_agg(t.name, ',' ORDER BY t.id) FROM book_tag t WHERE t.id = ANY (c.tag_ids)) AS more
    ) m WHERE k.company_id = %(company)s
"""

# The reader's half of the bargain: which contacts follow from what was touched.
TOUCHED = {
    "contact": "k.id = ANY (%(ids)s)",
    "client": "k.client_id = ANY (%(ids)s)",
    "address": "k.client_id = ANY (%(ids)s)",
    "list_value": "(k.department_id = ANY (%(ids)s) OR c.status_id = ANY (%(ids)s))",
    "tag": "(k.tag_ids && %(ids)s::bigint[] OR c.tag_ids && %(ids)s::bigint[])",
    "rep": "c.rep_id = ANY (%(ids)s)",
}

WRITERS = st.sampled_from([0, 1])
WHICH = st.integers(0, 1)
WORDS = st.sampled_from(["a", "b", "c"])


class Interleaving(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        seats = [SeatFactory()]
        self.company = seats[0].company
        seats.append(SeatFactory(company=self.company))
        self.reps = [seat.user_id for seat in seats]
        self.statuses = [ListValueFactory(company=self.company).pk for _ in "ab"]
        self.departments = [
            ListValueFactory(company=self.company, kind=ListValue.Kind.DEPARTMENT).pk for _ in "ab"
        ]
        self.tags = [TagFactory(company=self.company, kind=Tag.Kind.CONTACT).pk for _ in "ab"]
        # Everything named is in use from the start, and everything has a spare that is not.
        named = {"status_id": self.statuses[0], "rep_id": self.reps[0], "tag_ids": self.tags[:1]}
        clients = [ClientFactory(company=self.company, **named) for _ in "ab"]
        self.clients = [client.pk for client in clients]
        for client in clients:
            ClientAddress.objects.create(company=self.company, client=client, state="x")
        named = {"department_id": self.departments[0], "tag_ids": self.tags[:1]}
        self.contacts = [ContactFactory(client=client, **named).pk for client in clients]
        Change.objects.all().delete()

        where = connection.get_connection_params()
        address = {
            name: where[name] for name in ("host", "port", "user", "password", "dbname") if where.get(name)
        }
        # A writer that would have to wait for the other gives up instead: both are in this one thread.
        self.writers = [psycopg.connect(**address, options="-c lock_timeout=20ms") for _ in "ab"]
        self.reader = psycopg.connect(**address)
        self.mirror = dict(self.members("true", []))

    # --- Writers ----------------------------------------------------------------------------------

    def write(self, writer, sql, *values):
        try:
            self.writers[writer].execute(sql, values)
        except (errors.LockNotAvailable, errors.DeadlockDetected, errors.IntegrityError):
            self.writers[writer].rollback()

    @rule(writer=WRITERS, which=WHICH, word=WORDS, column=st.sampled_from(["first_name", "email", "state"]))
    def edit_contact(self, writer, which, word, column):
        self.write(writer, f"UPDATE book_contact SET {column} = %s WHERE id = %s", word, self.contacts[which])

    @rule(writer=WRITERS, which=WHICH, column=st.sampled_from(["no_marketing", "active"]))
    def flip_contact(self, writer, which, column):
        self.write(
            writer, f"UPDATE book_contact SET {column} = NOT {column} WHERE id = %s", self.contacts[which]
        )

    @rule(writer=WRITERS, which=WHICH, to=WHICH)
    def move_contact(self, writer, which, to):
        sql = "UPDATE book_contact SET client_id = %s WHERE id = %s"
        self.write(writer, sql, self.clients[to], self.contacts[which])

    @rule(writer=WRITERS, which=WHICH, to=WHICH)
    def give_department(self, writer, which, to):
        sql = "UPDATE book_contact SET department_id = %s WHERE id = %s"
        self.write(writer, sql, self.departments[to], self.contacts[which])

    @rule(writer=WRITERS, which=WHICH, chosen=st.sets(WHICH), table=st.sampled_from(["contact", "client"]))
    def tag(self, writer, which, chosen, table):
        row = (self.contacts if table == "contact" else self.clients)[which]
        tags = [self.tags[i] for i in sorted(chosen)]
        self.write(writer, f"UPDATE book_{table} SET tag_ids = %s WHERE id = %s", tags, row)

    @rule(writer=WRITERS, which=WHICH)
    def delete_or_restore_contact(self, writer, which):
        sql = "UPDATE book_contact SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id = %s"
        self.write(writer, sql, self.contacts[which])

    @rule(writer=WRITERS, which=WHICH)
    def copy_contact_within_one_statement(self, writer, which):
        columns = (
            "company_id, client_id, first_name, last_name, position, email, phone, extension, cell, fax,"
            " line1, line2, city, state, postal_code, country, department_id, tag_ids, no_marketing,"
            " no_marketing_reason, active, created_at, updated_at"
        )
        sql = (
            f"INSERT INTO book_contact (external_id, {columns})"
            f" SELECT '', {columns} FROM book_contact WHERE id = %s"
        )
        self.write(writer, sql, self.contacts[which])

    @rule(writer=WRITERS, which=WHICH, to=WHICH, column=st.sampled_from(["status_id", "rep_id"]))
    def edit_client(self, writer, which, to, column):
        value = (self.statuses if column == "status_id" else self.reps)[to]
        self.write(writer, f"UPDATE book_client SET {column} = %s WHERE id = %s", value, self.clients[which])

    @rule(writer=WRITERS, which=WHICH, word=WORDS)
    def rename_client(self, writer, which, word):
        self.write(writer, "UPDATE book_client SET name = %s WHERE id = %s", word, self.clients[which])

    @rule(writer=WRITERS, which=WHICH, word=WORDS)
    def edit_address(self, writer, which, word):
        sql = "UPDATE book_clientaddress SET state = %s WHERE client_id = %s"
        self.write(writer, sql, word, self.clients[which])

    @rule(writer=WRITERS, which=WHICH, word=WORDS)
    def rename_rep(self, writer, which, word):
        self.write(writer, "UPDATE accounts_user SET last_name = %s WHERE id = %s", word, self.reps[which])

    @rule(writer=WRITERS, which=WHICH, word=WORDS, what=st.sampled_from(["statuses", "departments"]))
    def rename_list_value(self, writer, which, word, what):
        sql = "UPDATE book_listvalue SET name = %s WHERE id = %s"
        self.write(writer, sql, word, getattr(self, what)[which])

    @rule(writer=WRITERS, which=WHICH, word=WORDS)
    def rename_tag(self, writer, which, word):
        self.write(writer, "UPDATE book_tag SET name = %s WHERE id = %s", word, self.tags[which])

    @rule(writer=WRITERS, commit=st.booleans())
    def end_transaction(self, writer, commit):
        if commit:
            self.writers[writer].commit()
        else:
            self.writers[writer].rollback()

    # --- The reader -------------------------------------------------------------------------------

    def members(self, condition, ids):
        rows = self.reader.execute(
            f"{MEMBERS} AND {condition}", {"company": self.company.pk, "ids": ids}
        ).fetchall()
        self.reader.commit()
        return rows

    def take(self, limit):
        """Remove up to `limit` recorded changes; returns what they touched."""
        return self.reader.execute(
            "DELETE FROM book_change WHERE id IN (SELECT id FROM book_change WHERE company_id = %s"
            " LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING kind, object_id",
            [self.company.pk, limit],
        ).fetchall()

    @rule(limit=st.integers(1, 3))
    def read(self, limit):
        touched = self.take(limit)
        self.reader.commit()
        for kind, object_id in touched:
            self.mirror.update(self.members(TOUCHED[kind], [object_id]))

    @rule(limit=st.integers(1, 3))
    def crash_while_reading(self, limit):
        self.take(limit)
        self.reader.rollback()

    def teardown(self):
        if not hasattr(self, "writers"):
            return
        try:
            for writer in self.writers:
                writer.commit()
            while touched := self.take(100):
                self.reader.commit()
                for kind, object_id in touched:
                    self.mirror.update(self.members(TOUCHED[kind], [object_id]))
            self.reader.commit()
            assert self.mirror == dict(self.members("true", []))
        finally:
            for one in (*self.writers, self.reader):
                one.close()


@pytest.mark.django_db(transaction=True)
def test_no_interleaving_loses_a_change(transactional_db):
    thorough = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
    run_state_machine_as_test(
        Interleaving,
        settings=settings(
            max_examples=400 if thorough else 25,
            stateful_step_count=40 if thorough else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db(transaction=True)
def test_a_rep_renamed_while_another_transaction_gives_them_their_first_client(transactional_db):
    """Found by thinking, not by chance: neither transaction sees what the other does."""
    machine = Interleaving()
    machine.begin()
    machine.rename_rep(writer=0, which=1, word="renamed")
    machine.edit_client(writer=1, which=0, to=1, column="rep_id")
    machine.end_transaction(writer=1, commit=True)
    machine.read(limit=3)
    machine.end_transaction(writer=0, commit=True)
    machine.teardown()
