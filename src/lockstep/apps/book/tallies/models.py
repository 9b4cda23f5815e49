"""Where the bits lie, and which objects they no longer hold for."""

from __future__ import annotations

from django.db import models

from lockstep.apps.accounts.models import Company


class Tally(models.Model):
    """The objects of one block that have one facet: their number and their bits (see `sheets`)."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    subject = models.CharField(max_length=8)
    """'contact' or 'client'."""
    kind = models.CharField(max_length=16)
    value = models.TextField()
    block = models.BigIntegerField()
    number = models.IntegerField()
    bits = models.BinaryField()
    """Compressed with zlib; uncompressed `sheets.BLOCK_BYTES` long, the lowest id in the lowest bit."""

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["company", "subject", "kind", "value", "block"], name="book_tally_once"
            )
        ]

    def __str__(self) -> str:
        return f"tally {self.pk}"


class TallyMark(models.Model):
    """“The bits no longer hold for this one.” Written by triggers; deleted by who makes the bits anew."""

    class Kind(models.TextChoices):
        CONTACT = "contact"
        CLIENT = "client"
        """The client and all its contacts."""
        ADDRESS_KEY = "key"
        """All contacts with this `Contact.email_key`: flags and duplicates are matters of the address."""

    # No constraint: deleting a company fires the triggers of its rows while the company goes.
    company = models.ForeignKey(
        Company, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=8, choices=Kind)
    object_id = models.BigIntegerField(default=0)
    key = models.TextField(default="")
    marked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company", "id"])]

    def __str__(self) -> str:
        return f"mark {self.pk}"
