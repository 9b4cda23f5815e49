"""Which account and which audience a page is about."""

from __future__ import annotations

from django.db.models import Case, IntegerField, Value, When

from lockstep.apps.connections.models import Connection, MailchimpAccount


def accounts_of(company_id: int) -> list[MailchimpAccount]:
    """The company's connected accounts, the oldest first."""
    accounts = MailchimpAccount.objects.filter(company_id=company_id, disconnected_at=None)
    return list(accounts.select_related("connected_by").order_by("id"))


def connections_of(company_id: int) -> list[Connection]:
    """The company's audiences: those that are not off first, then the latest chosen."""
    at_work = Case(
        When(mode=Connection.Mode.OFF, then=Value(1)), default=Value(0), output_field=IntegerField()
    )
    connections = Connection.objects.filter(company_id=company_id, account__disconnected_at=None)
    return list(connections.select_related("account").order_by(at_work, "-selected_at", "-id"))


def current_connection(company_id: int) -> Connection | None:
    """The audience that pages speak of where none is named."""
    return next(iter(connections_of(company_id)), None)
