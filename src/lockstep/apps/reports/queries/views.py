"""Saved views that an actor may open: the own ones, and those shared in the company."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.reports.models import SavedView


def visible(actor: Actor) -> QuerySet[SavedView]:
    user = actor.user.pk if actor.user else None
    return SavedView.objects.filter(Q(owner=user) | Q(shared=True), company=actor.company)


def views_of(actor: Actor, page: str) -> list[SavedView]:
    """By name, the own ones first."""
    actor.require(Permission.VIEW_BOOK)
    found = visible(actor).filter(page=page).select_related("owner").order_by("id")
    mine = actor.user.pk if actor.user else None
    return sorted(found, key=lambda view: (view.owner_id != mine, view.name.lower(), view.pk))


def find_view(actor: Actor, view_id: int) -> SavedView:
    """Raises `NotFound` for another company's, or another person's that is not shared."""
    actor.require(Permission.VIEW_BOOK)
    view = visible(actor).select_related("owner").filter(pk=view_id).first()
    if view is None:
        raise NotFound("view")
    return view
