"""Mailchimp accounts that a company connected, and the audiences that are kept in step."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from lockstep.apps.accounts.models import Company, User
from lockstep.core.consent import NewStatus
from lockstep.core.errors import BrokenKind
from lockstep.core.tags import TagRule


class MailchimpAccount(models.Model):
    """Credentials for one Mailchimp account. The secret is stored encrypted only (see `secrets`)."""

    class AuthKind(models.TextChoices):
        OAUTH = "oauth", "Log in at Mailchimp"
        API_KEY = "api_key", "API key"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="mailchimp_accounts")
    auth_kind = models.CharField(max_length=8, choices=AuthKind)
    secret = models.BinaryField()
    """Access token or API key, encrypted with the newest key of the installation."""
    data_center = models.CharField(max_length=10)
    api_base = models.CharField(max_length=200)
    """`https://us6.api.mailchimp.com`, or the practice Mailchimp's address; without `/3.0`."""
    account_id = models.CharField(max_length=40, blank=True)
    account_name = models.CharField(max_length=200, blank=True)
    login_email = models.CharField(max_length=254, blank=True)
    role = models.CharField(max_length=40, blank=True)
    plan = models.CharField(max_length=40, blank=True)
    broken_kind = models.CharField(
        max_length=24, blank=True, choices=[(kind.value, kind.value) for kind in BrokenKind]
    )
    broken_text = models.TextField(blank=True)
    broken_at = models.DateTimeField(null=True, blank=True)
    connected_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    connected_at = models.DateTimeField(default=timezone.now)
    disconnected_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "account_id"],
                condition=Q(disconnected_at=None) & ~Q(account_id=""),
                name="connections_account_once",
            )
        ]

    def __str__(self) -> str:
        return f"mailchimp account {self.pk}"


class Connection(models.Model):
    """One audience, and how the book is kept in step with it: filters, policy, settings.

    `mode` is what people want; how things stand is told by runs and by the
    account's or the connection's own `broken_kind`.
    """

    class Mode(models.TextChoices):
        OFF = "off"
        ON = "on"
        STOPPING = "stopping"
        """The members' Sync Status is being turned Inactive; then OFF."""

    class BatchProof(models.TextChoices):
        """Whether this Mailchimp was seen to honour `status_if_new` in batch calls (contract 0)."""

        UNKNOWN = "unknown"
        KEPT = "kept"
        NOT_KEPT = "not_kept"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="connections")
    account = models.ForeignKey(MailchimpAccount, on_delete=models.CASCADE, related_name="connections")
    list_id = models.CharField(max_length=40)
    list_name = models.CharField(max_length=200)
    list_web_id = models.BigIntegerField(default=0)
    signup_url = models.CharField(max_length=300, blank=True)
    member_count = models.IntegerField(default=0)
    """Contacts that the audience held when it was last read; approximate (contract 2)."""
    prefix = models.CharField(max_length=4, default="CSKU")
    preferences = models.JSONField(default=dict)
    """Filters (S1), see `preferences.Preferences`."""
    new_status = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in NewStatus], default=NewStatus.SUBSCRIBED.value
    )
    unsubscribe_sets_no_marketing = models.BooleanField(default=False)
    nightly_audit = models.BooleanField(default=True)
    member_tags = models.BooleanField(default=False)
    """Whether tags of the book also go out as real Mailchimp tags (S5)."""
    member_tag_prefix = models.CharField(max_length=20, default="CSKU: ")
    member_tag_contacts = models.BooleanField(default=True, db_default=True)
    member_tag_clients = models.BooleanField(default=False, db_default=False)
    member_tag_removal = models.BooleanField(default=False, db_default=False)
    """Tags were switched off, and those that Lockstep wrote are to be taken off."""
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.OFF)
    broken_kind = models.CharField(
        max_length=24, blank=True, choices=[(kind.value, kind.value) for kind in BrokenKind]
    )
    broken_text = models.TextField(blank=True)
    broken_at = models.DateTimeField(null=True, blank=True)
    batch_proof = models.CharField(max_length=10, choices=BatchProof, default=BatchProof.UNKNOWN)
    webhook_id = models.CharField(max_length=40, blank=True)
    webhook_secret = models.BinaryField(default=bytes, blank=True)
    """Encrypted: the secret part of the webhook's URL; b'' before a webhook was tried."""
    webhook_signing_secret = models.BinaryField(default=bytes, blank=True)
    """Encrypted: what Mailchimp signs with; b'' where it gave none (contract 8)."""
    webhook_trouble = models.TextField(blank=True, default="")
    """Why there is no webhook, for the page: polling does the work meanwhile."""
    webhook_checked_at = models.DateTimeField(null=True, blank=True)
    audit_began_at = models.DateTimeField(null=True, blank=True)
    mirror_complete_at = models.DateTimeField(null=True, blank=True)
    """When a reading of the whole audience last came to its end; absence is concluded only after one."""
    poll_cursor = models.DateTimeField(null=True, blank=True)
    unavailable_until = models.DateTimeField(null=True, blank=True)
    """Mailchimp asked for patience outside a run; null once it answered again."""
    last_polled_at = models.DateTimeField(null=True, blank=True)
    live_at = models.DateTimeField(null=True, blank=True)
    """Since when changes of the book are sent by themselves; null before the first plan was let through."""
    first_started_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    selected_at = models.DateTimeField(default=timezone.now)
    """When the audience was last chosen: of several that are off, pages show the latest."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "list_id"], name="connections_once")]
        indexes = [models.Index(fields=["company", "id"])]

    def __str__(self) -> str:
        return f"connection {self.pk}"

    @property
    def tag_rule(self) -> TagRule | None:
        """Which tags of the book become tags at Mailchimp; None where they don't."""
        if not self.member_tags:
            return None
        return TagRule(self.member_tag_prefix, self.member_tag_contacts, self.member_tag_clients)

    @property
    def clears_tags(self) -> bool:
        """Whether what was written is to go, because tags were switched off."""
        return self.member_tag_removal and not self.member_tags

    @property
    def on(self) -> bool:
        return self.mode == self.Mode.ON
