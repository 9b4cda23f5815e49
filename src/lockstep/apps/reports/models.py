"""What people keep of a list: its filters, order and columns under a name."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from lockstep.apps.accounts.models import Company, User


class SavedView(models.Model):
    """A report or a view of a list, by what stands in its address; nothing of the book is in it."""

    class Page(models.TextChoices):
        REPORT = "report", "Mailing List report"
        CLIENTS = "clients", "Clients"
        CONTACTS = "contacts", "Contacts"

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="+", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    page = models.CharField(max_length=16, choices=Page)
    name = models.CharField(max_length=80)
    query = models.TextField(blank=True, default="")
    """The address after the “?”, as `services.views.kept` leaves it."""
    shared = models.BooleanField(default=False)
    """Whether the whole company sees it; only its owner otherwise."""
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "company", "page", "owner", Lower("name"), name="reports_view_name_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.page} view {self.pk}"
