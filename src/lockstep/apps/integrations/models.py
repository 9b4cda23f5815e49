"""Access tokens and what is remembered of calls made with them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from lockstep.apps.accounts.models import Company, User


class AccessToken(models.Model):
    """A secret by which another system acts for the person who made it, within `scopes`.

    Only the digest of the secret is kept. When the person's seat goes, the
    token opens nothing any more.
    """

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    hint = models.CharField(max_length=16)
    """The first characters of the secret, to tell tokens apart."""
    digest = models.BinaryField(max_length=32, unique=True)
    """SHA-256 of the secret, which holds 256 bits of chance: nothing to guess, no salt needed."""
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    allowance = models.FloatField(default=0)
    """Calls left in the bucket at `allowance_at`; it fills by itself."""
    allowance_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["company", "-id"])]

    def __str__(self) -> str:
        return f"token {self.pk}"


class KeptAnswer(models.Model):
    """The answer given under an idempotency key; whoever asks again gets the same."""

    token = models.ForeignKey(AccessToken, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    request_digest = models.BinaryField(max_length=32)
    """Of method, path and body: the same key with something else is a mistake."""
    status = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="integrations_answer_once")]
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return f"answer {self.pk}"
