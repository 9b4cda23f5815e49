"""The book: clients, contacts, the company's lists and tags, history, and recorded changes."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Lower
from django.utils import timezone

from lockstep.apps.accounts.models import Company, User
from lockstep.apps.book.capture import capture, capture_user_names
from lockstep.apps.book.tallies.models import Tally, TallyMark  # noqa: F401  -- where Django looks for them
from lockstep.apps.book.tallies.triggers import mark_tallies


class EmailKey(Func):
    """The address as it is compared: trimmed and lower-cased (Mailchimp contract 4.1)."""

    function = "lockstep_email_key"
    output_field = models.TextField()


class EmailValid(Func):
    """Whether the address could be an e-mail address at all; '' is not."""

    function = "lockstep_email_valid"
    output_field = models.BooleanField()


class ClientKey(Func):
    """A client's name as lists sort it: folded, see `lockstep_fold`."""

    function = "lockstep_client_key"
    output_field = models.TextField()


class ContactKey(Func):
    """A contact's “last first” name as lists sort it, the e-mail where there is no name."""

    function = "lockstep_contact_key"
    output_field = models.TextField()


class ListValue(models.Model):
    """A status, industry or department that the company defined (B1)."""

    class Kind(models.TextChoices):
        STATUS = "status", "Client status"
        INDUSTRY = "industry", "Industry"
        DEPARTMENT = "department", "Department"

    class Glyph(models.TextChoices):
        """How a client status is drawn: never a colour, colour means sync state."""

        STAR = "star"
        FULL = "full"
        HALF = "half"
        EMPTY = "empty"
        DASHED = "dashed"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="list_values")
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=100)
    position = models.PositiveIntegerField(default=0)
    glyph = models.CharField(max_length=8, choices=Glyph, blank=True)
    retired = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint("company", "kind", Lower("name"), name="book_listvalue_name_unique")
        ]
        triggers = capture("list_value", ("name",), on_insert=False, on_delete=False)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    """A label of clients or of contacts; clients and contacts hold the ids in an array."""

    class Kind(models.TextChoices):
        CLIENT = "client", "Client tag"
        CONTACT = "contact", "Contact tag"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="tags")
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint("company", "kind", Lower("name"), name="book_tag_name_unique")]
        triggers = capture("tag", ("name",), on_insert=False)

    def __str__(self) -> str:
        return self.name


class AddressColumns(models.Model):
    line1 = models.CharField(max_length=200, blank=True, default="")
    line2 = models.CharField(max_length=200, blank=True, default="")
    city = models.CharField(max_length=100, blank=True, default="")
    state = models.CharField(max_length=100, blank=True, default="")
    postal_code = models.CharField(max_length=30, blank=True, default="")
    country = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        abstract = True


class Client(models.Model):
    """A customer of the company. Deleted clients keep their row and can be restored.

    The table has one more column, `search` (a tsvector of folded words, see
    migration 0002), which only SQL compares: it is never fetched.
    """

    # Indexes of the foreign keys' own would repeat the composite ones below.
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="clients", db_index=False)
    name = models.CharField(max_length=200)
    name_key = models.GeneratedField(
        expression=ClientKey(F("name")), output_field=models.TextField(db_collation="C"), db_persist=True
    )
    account_number = models.CharField(max_length=60, blank=True, default="")
    status = models.ForeignKey(
        ListValue, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    industry = models.ForeignKey(
        ListValue, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    rep = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    tag_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    website = models.CharField(max_length=300, blank=True, default="")
    phone = models.CharField(max_length=60, blank=True, default="")
    notes = models.TextField(blank=True, default="")
    active = models.BooleanField(default=True)
    external_id = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged", db_index=False
    )
    """The client that this one became a part of; set only while this one is deleted."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "company", Lower("name"), condition=Q(deleted_at=None), name="book_client_name_unique"
            ),
            models.UniqueConstraint(
                "company", "external_id", condition=~Q(external_id=""), name="book_client_external_id_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["company", "status", "id"]),
            models.Index(fields=["company", "industry", "id"]),
            models.Index(
                fields=["company", "name_key", "id"], condition=Q(deleted_at=None), name="book_client_by_name"
            ),
            models.Index(
                fields=["company", "-updated_at", "-id"],
                condition=Q(deleted_at=None),
                name="book_client_by_change",
            ),
            GinIndex(fields=["tag_ids"], name="book_client_tags", opclasses=["array_ops"]),
            models.Index(
                fields=["merged_into"], condition=Q(merged_into__isnull=False), name="book_client_merged"
            ),
        ]
        triggers = capture(
            "client",
            ("name", "status_id", "industry_id", "rep_id", "tag_ids", "active", "deleted_at"),
            on_insert=False,
        ) + mark_tallies("client", ("status_id", "industry_id", "rep_id", "tag_ids", "active", "deleted_at"))

    def __str__(self) -> str:
        return f"client {self.pk}"


class ClientAddress(AddressColumns):
    """One of a client's addresses; exactly one is primary."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="addresses")
    name = models.CharField(max_length=100, blank=True, default="")
    is_primary = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client"], condition=Q(is_primary=True), name="book_clientaddress_one_primary"
            )
        ]
        triggers = capture(
            "address", ("state", "country", "is_primary", "client_id"), object_id="client_id"
        ) + mark_tallies("client", ("state", "country", "is_primary", "client_id"), object_id="client_id")

    def __str__(self) -> str:
        return f"address {self.pk} of client {self.client_id}"


class Contact(AddressColumns):
    """A person at a client.

    An address of its own counts as soon as any of its parts is filled in;
    otherwise the client's primary address is the contact's. Deleted contacts
    keep their row (`deleted_at`) and can be restored; those of a deleted
    client carry the client's very `deleted_at`, and come back with it.

    Like clients, contacts have a column `search` that only SQL compares.
    """

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="contacts", db_index=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="contacts", db_index=False)
    first_name = models.CharField(max_length=100, blank=True, default="")
    last_name = models.CharField(max_length=100, blank=True, default="")
    name_key = models.GeneratedField(
        expression=ContactKey(F("first_name"), F("last_name"), F("email")),
        output_field=models.TextField(db_collation="C"),
        db_persist=True,
    )
    position = models.CharField(max_length=200, blank=True, default="")
    email = models.CharField(max_length=320, blank=True, default="")
    email_key = models.GeneratedField(
        expression=EmailKey(F("email")), output_field=models.TextField(), db_persist=True
    )
    email_valid = models.GeneratedField(
        expression=EmailValid(F("email")), output_field=models.BooleanField(), db_persist=True
    )
    phone = models.CharField(max_length=60, blank=True, default="")
    extension = models.CharField(max_length=20, blank=True, default="")
    cell = models.CharField(max_length=60, blank=True, default="")
    fax = models.CharField(max_length=60, blank=True, default="")
    department = models.ForeignKey(
        ListValue, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tag_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    no_marketing = models.BooleanField(default=False)
    no_marketing_reason = models.CharField(max_length=300, blank=True, default="")
    no_marketing_at = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    external_id = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged", db_index=False
    )
    """The contact that this one became a part of; set only while this one is deleted."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "company", "external_id", condition=~Q(external_id=""), name="book_contact_external_id_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["company", "id"]),
            models.Index(fields=["company", "email_key"]),
            models.Index(
                fields=["company", "email_key"],
                condition=Q(no_marketing=True, deleted_at=None),
                name="book_contact_no_marketing",
            ),
            models.Index(fields=["client", "id"]),
            models.Index(fields=["company", "department", "id"]),
            models.Index(
                fields=["company", "name_key", "id"],
                condition=Q(deleted_at=None),
                name="book_contact_by_name",
            ),
            models.Index(
                fields=["company", "-updated_at", "-id"],
                condition=Q(deleted_at=None),
                name="book_contact_by_change",
            ),
            GinIndex(fields=["tag_ids"], name="book_contact_tags", opclasses=["array_ops"]),
            models.Index(
                fields=["merged_into"], condition=Q(merged_into__isnull=False), name="book_contact_merged"
            ),
        ]
        triggers = capture(
            "contact",
            [
                "client_id",
                "first_name",
                "last_name",
                "position",
                "email",
                "phone",
                "extension",
                "department_id",
                "tag_ids",
                "line1",
                "line2",
                "city",
                "state",
                "postal_code",
                "country",
                "no_marketing",
                "active",
                "deleted_at",
            ],
        ) + mark_tallies(
            "contact",
            [
                "client_id",
                "email_key",
                "email_valid",
                "department_id",
                "tag_ids",
                "line1",
                "line2",
                "city",
                "state",
                "postal_code",
                "country",
                "no_marketing",
                "active",
                "deleted_at",
            ],
            by_key=("email_key", "no_marketing", "deleted_at"),
        )

    def __str__(self) -> str:
        return f"contact {self.pk}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class Change(models.Model):
    """A touched row of the book, written by triggers only (see `capture`); deleted by its reader."""

    class Kind(models.TextChoices):
        CONTACT = "contact"
        CLIENT = "client"
        ADDRESS = "address"
        """`object_id` is the client."""
        LIST_VALUE = "list_value"
        TAG = "tag"
        REP = "rep"

    # No constraint: deleting a company fires the triggers of its rows while the company goes.
    company = models.ForeignKey(
        Company, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=16, choices=Kind)
    object_id = models.BigIntegerField()
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["company", "id"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id} changed"


class Rep(User):
    """Users seen as client reps: carries the trigger that records a rename."""

    class Meta:
        proxy = True
        triggers = capture_user_names("rep")


class BulkChange(models.Model):
    """Many rows of the book changed by one act: a bulk edit, a merge, an import, or the undo of one of them.

    Which rows is held by `BulkTarget` until the act is through; what happened to
    each is in the history, one entry a row. A worker that takes it over goes on
    at `done`, which moves in the same transaction as the rows.
    """

    class Kind(models.TextChoices):
        EDIT = "edit", "Bulk edit"
        MERGE = "merge", "Merge"
        IMPORT = "import", "Import"
        UNDO = "undo", "Undo"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    own_clients_only = models.BooleanField(default=False)
    """Whether who asked for it was limited to own clients."""
    kind = models.CharField(max_length=16, choices=Kind)
    subject_kind = models.CharField(max_length=24)
    """“client” or “contact”: which rows were chosen."""
    edit = models.JSONField(default=dict)
    """What is done to each row, see `services.bulk.edits`."""
    words = models.CharField(max_length=500, blank=True, default="")
    """What was done, as people read it: “Tag “VIP” added”."""
    total = models.PositiveIntegerField(default=0)
    """Rows chosen, or for an undo entries to set back."""
    done = models.PositiveIntegerField(default=0)
    """Of these, looked at so far."""
    changed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    """Left alone because they could not be changed, or were changed by somebody since."""
    skips = models.JSONField(default=list)
    """The first of the skipped: `{"kind": …, "id": …, "why": …}` each."""
    undoes = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="undone_by"
    )
    parent_import = models.OneToOneField(
        "Import", null=True, blank=True, on_delete=models.CASCADE, related_name="bulk"
    )
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["company", "-created_at", "-id"])]

    def __str__(self) -> str:
        return f"bulk change {self.pk}"


class BulkTarget(models.Model):
    """The rows that a bulk change still has to go through, in their order; gone when it is done."""

    bulk = models.OneToOneField(BulkChange, on_delete=models.CASCADE, primary_key=True, related_name="target")
    ids = ArrayField(models.BigIntegerField(), default=list)

    def __str__(self) -> str:
        return f"rows of bulk change {self.pk}"


class HistoryEntry(models.Model):
    """Who changed what and when (B6). `changes` maps a field to [old, new] as people read them.

    `before` and `after` hold the same as the columns hold it (see
    `services.raw`), only of what differs: an entry that has them can be undone.
    """

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    subject_kind = models.CharField(max_length=24)
    subject_id = models.BigIntegerField()
    label = models.CharField(max_length=300, blank=True, default="", db_default="")
    """The subject's name at that time, for the audit log: the thing itself may be gone by now."""
    action = models.CharField(max_length=40)
    changes = models.JSONField(default=dict)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    bulk = models.ForeignKey(
        BulkChange, null=True, blank=True, on_delete=models.CASCADE, related_name="entries", db_index=False
    )
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["company", "subject_kind", "subject_id", "-at"]),
            models.Index(fields=["bulk", "id"], condition=Q(bulk__isnull=False), name="book_history_by_bulk"),
            # The audit log: settings and the sync, not the book, whose entries are a thousand times as many.
            models.Index(
                fields=["company", "-at", "-id"],
                condition=~Q(subject_kind__in=("client", "contact")),
                name="book_history_of_settings",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_kind} {self.subject_id}"


class SearchWord(models.Model):
    """A word that something of the book is found by; written by triggers only, possibly more than once.

    The table has one more column, `keys` (see migration 0007): what a mistyped
    word would share with it.
    """

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    word = models.TextField(db_collation="C")

    class Meta:
        indexes = [models.Index(fields=["company", "word"], name="book_searchword_word")]

    def __str__(self) -> str:
        return f"search word {self.pk}"


class DistinctPair(models.Model):
    """Two clients or two contacts that look like one and are not, as a person said."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    subject_kind = models.CharField(max_length=16)
    """“client” or “contact”."""
    low_id = models.BigIntegerField()
    high_id = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "subject_kind", "low_id", "high_id"], name="book_distinctpair_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.low_id} is not {self.high_id}"


class Import(models.Model):
    """A file of contacts on its way into the book, and afterwards the record of what it did (B4).

    The file itself lies in `ImportChunk`s, so that any host can work on it; it
    is deleted after a while, the record stays.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Waiting for its columns to be matched"
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        CHECKED = "checked", "Checked, nothing saved yet"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    class OnMatch(models.TextChoices):
        """What happens to a contact that the book has already."""

        OVERWRITE = "overwrite", "Overwrite with the file"
        FILL = "fill", "Fill empty fields only"
        SKIP = "skip", "Skip the row"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="imports", db_index=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    own_clients_only = models.BooleanField(default=False)
    """Whether who started it was limited to own clients."""
    filename = models.CharField(max_length=255)
    file_size = models.PositiveBigIntegerField(default=0)
    file_deleted_at = models.DateTimeField(null=True, blank=True)
    header = models.JSONField(default=list)
    """The column names of the file, as they stand there."""
    mapping = models.JSONField(default=dict)
    """From a column's position in the file (as text) to its key, see `services.imports.columns`."""
    on_match = models.CharField(max_length=16, choices=OnMatch, default=OnMatch.OVERWRITE)
    lift_no_marketing = models.BooleanField(default=False)
    """Whether a “no” under No Marketing takes the mark off; without it a file can only set the mark."""
    extra_tags = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    """Tags that every contact of the file gets."""
    dry_run = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=State, default=State.UPLOADED)
    stage = models.CharField(max_length=60, blank=True, default="")
    progress = models.PositiveSmallIntegerField(default=0)
    """Per cent."""
    counts = models.JSONField(default=dict)
    """Numbers by name, see `services.imports.counts`."""
    warnings = models.JSONField(default=list)
    """`{"text": …, "count": …, "rows": [first row numbers]}` each."""
    error = models.TextField(blank=True, default="")
    """Why it failed, for people."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["company", "-created_at", "-id"])]

    def __str__(self) -> str:
        return f"import {self.pk}"


class ImportChunk(models.Model):
    """A piece of an import's file."""

    parent = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "number"], name="book_importchunk_number_unique")
        ]

    def __str__(self) -> str:
        return f"piece {self.number} of import {self.parent_id}"


class ImportRefusal(models.Model):
    """A row of a file that was not taken, with why; `cells` are the row's, so that it can be mended."""

    parent = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="refusals", db_index=False)
    row_number = models.PositiveIntegerField()
    """As a spreadsheet counts: the header is row 1."""
    reason = models.TextField()
    cells = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "row_number"], name="book_importrefusal_row_unique")
        ]

    def __str__(self) -> str:
        return f"row {self.row_number} of import {self.parent_id}"
