"""Keeps a list's filters, order and columns under a name."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, NotPermitted, Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.reports.models import SavedView
from lockstep.apps.reports.queries.views import find_view

LONGEST_NAME = 80
LONGEST_QUERY = 4_000

_PASSING = {"page", "view", "csrfmiddlewaretoken"}
"""Parameters that say where one is, not what one sees."""


def kept(query: str) -> str:
    """What of an address is worth keeping: all but the place in the list and what is empty."""
    pairs = parse_qsl(query.lstrip("?")[: 4 * LONGEST_QUERY], max_num_fields=500)
    return urlencode([(name, value) for name, value in pairs if name not in _PASSING and value])


def save_view(actor: Actor, *, page: str, name: str, query: str, shared: bool = False) -> SavedView:
    """Keep a view; one of the actor's own with the same name is replaced. Raises `Invalid`, `NotPermitted`.

    Sharing takes the permission to edit the book.
    """
    actor.require(Permission.VIEW_BOOK)
    if shared:
        actor.require(Permission.EDIT_BOOK)
    if actor.user is None:
        raise NotPermitted(Permission.VIEW_BOOK)
    if page not in SavedView.Page.values:
        raise Invalid({"page": "There is no such list."})
    text = kept(query)
    if len(text) > LONGEST_QUERY:
        raise Invalid({"query": "This view has too many filters to be kept."})
    view, _ = SavedView.objects.update_or_create(
        company=actor.company,
        owner=actor.user,
        page=page,
        name__iexact=_name(name),
        defaults={"query": text, "shared": shared, "name": _name(name), "changed_at": timezone.now()},
    )
    return view


def rename_view(actor: Actor, *, view_id: int, name: str) -> SavedView:
    """Raises `NotFound`, `Invalid`, and `NotPermitted` for a view of somebody else."""
    view = _changeable(actor, view_id)
    view.name = _name(name)
    view.changed_at = timezone.now()
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "changed_at"])
    except IntegrityError:
        raise Invalid({"name": f"There is a view “{view.name}” already."}) from None
    return view


def share_view(actor: Actor, *, view_id: int, shared: bool) -> SavedView:
    """Show the view to the whole company, or to its owner only."""
    view = _changeable(actor, view_id)
    actor.require(Permission.EDIT_BOOK)
    view.shared = shared
    view.save(update_fields=["shared"])
    return view


def delete_view(actor: Actor, *, view_id: int) -> SavedView:
    """Forget the view; the list itself stays as it is. Returns what was deleted."""
    view = _changeable(actor, view_id)
    SavedView.objects.filter(pk=view.pk).delete()
    return view


def _changeable(actor: Actor, view_id: int) -> SavedView:
    """The own ones; shared ones of others also for who manages the company."""
    view = find_view(actor, view_id)
    if actor.user is None or view.owner_id != actor.user.pk:
        actor.require(Permission.MANAGE_COMPANY)
    return view


def _name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise Invalid({"name": "Give the view a name."})
    if len(name) > LONGEST_NAME:
        raise Invalid({"name": f"The name may have {LONGEST_NAME} characters at most."})
    return name
