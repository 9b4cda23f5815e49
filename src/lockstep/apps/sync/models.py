"""What the sync remembers: runs, each contact's record, the mirror of the audience, marks, events."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from lockstep.apps.accounts.models import Company, User
from lockstep.apps.book.capture import capture
from lockstep.apps.book.models import Contact
from lockstep.apps.connections.models import Connection
from lockstep.core.member import MemberStatus, Reason, SyncState
from lockstep.core.outcome import RefusalKind


class SyncRun(models.Model):
    """One piece of work on a connection that a person or a timer asked for."""

    class Kind(models.TextChoices):
        PREVIEW = "preview", "Dry run"
        START = "start", "Start sync"
        STOP = "stop", "Stop sync"
        REFRESH = "refresh", "Refresh"
        RETRY = "retry", "Retry"
        AUDIT = "audit", "Nightly audit"
        UNDO = "undo", "Undo of a run"

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        AUDITING = "auditing", "Auditing"
        WAITING = "waiting", "Waiting for a confirmation"
        SYNCING = "syncing", "Syncing"
        FINISHED = "finished", "Finished"
        PARTIAL = "partial", "Finished with failures"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Could not go on"

    OPEN_STATES = (State.QUEUED, State.AUDITING, State.SYNCING)

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=8, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="undos")
    """The run that an undo takes back."""
    archive_added = models.BooleanField(default=False, db_default=False)
    """For an undo: the person said that whom the run added is to be archived."""
    asked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    syncing_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    stop_asked = models.BooleanField(default=False)
    observed = models.IntegerField(default=0)
    """Members read so far."""
    total = models.IntegerField(default=0)
    """Contacts to go through, known once the audit ended."""
    cursor = models.BigIntegerField(default=0)
    """Highest contact id that was planned; a restarted worker goes on after it."""
    done = models.IntegerField(default=0)
    added = models.IntegerField(default=0)
    updated = models.IntegerField(default=0)
    renamed = models.IntegerField(default=0)
    released = models.IntegerField(default=0)
    tagged = models.IntegerField(default=0, db_default=0)
    """Members of whom only tags were changed."""
    unchanged = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    archived = models.IntegerField(default=0, db_default=0)
    """Members that an undo archived."""
    in_flight = models.SmallIntegerField(default=0, db_default=0)
    """Calls to Mailchimp that were open at the last look of the worker."""
    gate_width = models.SmallIntegerField(default=0, db_default=0)
    """Calls that may be open at once now; 0 before the first look."""
    slowed = models.BooleanField(default=False, db_default=False)
    """Mailchimp asked to slow down, and the calls at once are not back at their full number."""
    plan = models.JSONField(default=dict, blank=True)
    """Numbers of the plan, by change and by answer; what guards tripped."""
    fingerprint = models.CharField(max_length=32, blank=True)
    approved = models.CharField(max_length=32, blank=True)
    """The fingerprint that a person approved; what runs must have it."""
    waiting_until = models.DateTimeField(null=True, blank=True)
    """Mailchimp asked for patience: nothing is sent before."""
    error_kind = models.CharField(max_length=24, blank=True)
    error_text = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["connection", "-id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=Q(state__in=["queued", "auditing", "syncing"]),
                name="sync_run_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} run {self.pk}"

    @property
    def open(self) -> bool:
        return self.state in self.OPEN_STATES


class MemberRecord(models.Model):
    """One contact in one connection: its one truthful answer, and the synced state behind it.

    Written by `store` only. `contact` has no database constraint: a row that
    vanished from the book by raw SQL must still have its member released.
    """

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    contact = models.ForeignKey(
        Contact, on_delete=models.DO_NOTHING, related_name="member_records", db_constraint=False
    )
    reason = models.CharField(max_length=16, choices=[(r.value, r.value) for r in Reason])
    state = models.CharField(
        max_length=16, blank=True, default="", choices=[(s.value, s.value) for s in SyncState]
    )
    """'' where the contact does not fit."""
    wanted_key = models.TextField(blank=True, default="")
    wanted_digest = models.BinaryField(default=bytes)
    synced_key = models.TextField(blank=True, default="")
    synced_digest = models.BinaryField(default=bytes)
    contact_key = models.CharField(max_length=40, blank=True, default="")
    member_hash = models.CharField(max_length=32, blank=True, default="")
    """The member that is this contact's now; '' while there is none."""
    uncertain = models.BooleanField(default=False)
    sent_key = models.TextField(blank=True, default="")
    """The address that the uncertain write was for."""
    asked = models.BooleanField(default=False)
    gone = models.BooleanField(default=False)
    """Deleted for good at Mailchimp; shown under Archived."""
    created_by_us = models.BooleanField(default=False)
    opt_out_heeded = models.BooleanField(default=False, db_default=False)
    """The member's unsubscribing has set No Marketing once; undoing that is not overruled."""
    refusal_kind = models.CharField(
        max_length=20, blank=True, default="", choices=[(k.value, k.value) for k in RefusalKind]
    )
    refusal_text = models.TextField(blank=True, default="")
    refusal_field = models.CharField(max_length=60, blank=True, default="")
    refusal_digest = models.BinaryField(default=bytes)
    refused_at = models.DateTimeField(null=True, blank=True)
    first_synced_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    """When Mailchimp was last confirmed to hold what the book says."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "contact"], name="sync_record_once"),
        ]
        indexes = [
            models.Index(fields=["connection", "state", "contact"]),
            models.Index(
                fields=["connection", "synced_key"],
                condition=~Q(synced_key=""),
                name="sync_record_synced_key",
            ),
            models.Index(
                fields=["connection", "wanted_key"],
                condition=~Q(wanted_key=""),
                name="sync_record_wanted_key",
            ),
            models.Index(
                fields=["connection", "contact_key"],
                condition=~Q(contact_key=""),
                name="sync_record_contact_key",
            ),
            models.Index(
                fields=["connection", "sent_key"], condition=~Q(sent_key=""), name="sync_record_sent_key"
            ),
            models.Index(fields=["connection"], condition=Q(uncertain=True), name="sync_record_uncertain"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} in connection {self.connection_id}"


class ObservedRecord(models.Model):
    """The mirror: what Mailchimp held for one member when we last looked.

    `status` is '' for a member that was looked for and is not there.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    member_hash = models.CharField(max_length=32)
    email = models.TextField()
    status = models.CharField(max_length=16, blank=True, choices=[(s.value, s.value) for s in MemberStatus])
    values = models.JSONField(default=list)
    """Our fields' values, in the order of `core.field_map.FIELD_SPECS`."""
    tags = models.JSONField(null=True, blank=True)
    """Tags under our prefix, whoever put them there; null where nothing told of them."""
    contact_key = models.CharField(max_length=40, blank=True, default="")
    web_id = models.BigIntegerField(default=0)
    rating = models.SmallIntegerField(default=0)
    last_changed = models.CharField(max_length=32, blank=True, default="")
    observed_at = models.DateTimeField(default=timezone.now)
    """When the row was last written; a reading of the whole audience writes only what differs."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "member_hash"], name="sync_observed_once"),
        ]
        indexes = [
            models.Index(
                fields=["connection", "contact_key"],
                condition=~Q(contact_key=""),
                name="sync_observed_contact_key",
            ),
        ]

    def __str__(self) -> str:
        return f"member {self.member_hash} of connection {self.connection_id}"


class OptOut(models.Model):
    """When a member unsubscribed or was cleaned, and what is known of why; one for each who is so now.

    `reason` and `campaign_id` come from the webhook alone (contract 8): both '' where none told. `at` is then
    the moment of the event, else when the member had last been changed at Mailchimp as we noticed.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    member_hash = models.CharField(max_length=32)
    at = models.DateTimeField()
    reason = models.CharField(max_length=20, blank=True, default="")
    """manual or abuse, in the webhook's words."""
    campaign_id = models.CharField(max_length=40, blank=True, default="")
    """Mailchimp's id of the campaign after which it happened."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "member_hash"], name="sync_opt_out_once"),
        ]

    def __str__(self) -> str:
        return f"opt-out of member {self.member_hash} of connection {self.connection_id}"


class WrittenTag(models.Model):
    """A tag that Lockstep wrote to a member, or sent without knowing whether it arrived.

    Only these are ever taken off (P2). Kept by member, not by contact: another contact may own
    the member tomorrow. Forgotten when Mailchimp confirms that the tag was taken off.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    member_hash = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    """With the prefix, as it was sent."""

    class Meta:
        indexes = [models.Index(fields=["connection", "member_hash"], name="sync_written_tag_member")]

    def __str__(self) -> str:
        return f"tag of member {self.member_hash} of connection {self.connection_id}"


class Mark(models.Model):
    """“Look again at this contact.” Appended freely, deleted by the reader up to the id it read."""

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    contact_id = models.BigIntegerField()
    marked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["connection", "contact_id"])]

    def __str__(self) -> str:
        return f"mark {self.pk}"


class PlanRow(models.Model):
    """One contact's line in a dry run."""

    class Step(models.TextChoices):
        ADD = "add", "To add"
        UPDATE = "update", "To update"
        RENAME = "rename", "To rename"
        RELEASE = "release", "To turn Inactive"
        TAG = "tag", "To tag"
        UNCHANGED = "unchanged", "Unchanged"
        REFUSED = "refused", "Will fail"
        ARCHIVED = "archived", "Archived"
        PUT_BACK = "put_back", "To put back"
        TO_ARCHIVE = "to_archive", "To archive"
        LEFT = "left", "Left as it is"

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="rows", db_index=False)
    contact_id = models.BigIntegerField()
    step = models.CharField(max_length=10, choices=Step)
    differing = models.JSONField(default=dict)
    """Field name to [in Mailchimp now, after the sync]."""
    text = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["run", "step", "contact_id"])]

    def __str__(self) -> str:
        return f"{self.step} contact {self.contact_id} in run {self.run_id}"


class SyncEvent(models.Model):
    """Something that a run did to one contact's member, for history, activity and undo."""

    class Kind(models.TextChoices):
        ADDED = "added", "Added"
        UPDATED = "updated", "Updated"
        RENAMED = "renamed", "Address changed"
        RELEASED = "released", "Turned Inactive"
        TAGGED = "tagged", "Tags changed"
        REFUSED = "refused", "Refused"
        ADOPTED = "adopted", "Already in step"
        RESTORED = "restored", "Put back"
        ARCHIVED = "archived", "Archived"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(
        SyncRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="events", db_index=False
    )
    contact_id = models.BigIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    differing = models.JSONField(default=dict)
    """Field name to [before, after], as far as something was overwritten."""
    text = models.TextField(blank=True, default="")
    member_hash = models.CharField(max_length=32, blank=True, default="", db_default="")
    """The member that was written; of a renamed one the new hash."""
    added_as = models.CharField(max_length=16, blank=True, default="", db_default="")
    """The marketing status with which the member was made; '' where it was there before."""
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["connection", "contact_id", "-at"]),
            models.Index(fields=["connection", "-id"]),
            models.Index(fields=["run", "contact_id", "id"], name="sync_event_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} contact {self.contact_id}"


class DuplicateChoice(models.Model):
    """“Sync this contact instead”: overrides newest-wins for one address in the whole company (S3)."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+")
    email_key = models.TextField()
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    chosen_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    chosen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "email_key"], name="sync_choice_once")]
        triggers = capture("contact", ("contact_id", "email_key"), object_id="contact_id")

    def __str__(self) -> str:
        return f"choice {self.pk}"


class WebhookDelivery(models.Model):
    """A call of Mailchimp's webhook, as it came; heeded by the worker, deleted after a while."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="deliveries")
    received_at = models.DateTimeField(default=timezone.now)
    body = models.BinaryField()
    heeded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(
                fields=["connection", "id"], condition=Q(heeded_at=None), name="sync_delivery_waiting"
            ),
            models.Index(fields=["received_at"]),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
