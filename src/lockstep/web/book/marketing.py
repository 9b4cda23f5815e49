"""The contact page's Marketing tab: how one contact stands, and who of a shared address is synced."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import Contact
from lockstep.apps.book.queries import ContactDetails
from lockstep.apps.campaigns.queries import activity_stamp, contact_activity
from lockstep.apps.sync.queries import ContactSync, contact_sync
from lockstep.apps.sync.services import SyncRefused, choose_duplicate, retry, unchoose_duplicate
from lockstep.core.member import Reason, SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.web.book.contacts import of_contact
from lockstep.web.book.rivals import contact_of, rival_in
from lockstep.web.campaigns.plots import times_of_contact
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.failures import FAILURES, FailureWords

__all__ = ["Marketing", "contact_marketing", "marketing_of", "sync_instead", "sync_newest", "sync_now"]


@dataclass(frozen=True, slots=True)
class Marketing:
    """What a page shows of a contact's sync, in words."""

    sync: ContactSync
    standing: str
    """Key of the state's look."""
    words: str
    """One sentence: why (not) in Mailchimp."""
    rival: ContactDetails | None
    failure: FailureWords | None
    mailchimp_link: str

    @property
    def status_kind(self) -> str:
        """Key of the look of the marketing status at Mailchimp; '' where there is no member."""
        status = self.sync.status
        return {"pending": "confirming"}.get(status, status.value) if status else ""

    @property
    def stars(self) -> str:
        return "★" * self.sync.rating

    @property
    def no_stars(self) -> str:
        return "☆" * (5 - self.sync.rating)


_WORDS: dict[str, str] = {
    "synced": "This contact fits the sync filters. Every change you save here reaches Mailchimp by itself.",
    "pending": "This contact fits the sync filters. The latest changes are on their way to Mailchimp.",
    "failed": "Mailchimp refused this contact.",
    "archived": "This contact was archived in Mailchimp. Lockstep leaves that alone.",
    "forgotten": "This contact was deleted for good in Mailchimp. They have to sign up again with your form.",
    "unsubscribed": "This person unsubscribed in Mailchimp. Lockstep keeps the fields up to date and never"
    " changes the status.",
    Reason.OUTSIDE: "This contact does not fit the sync filters.",
    Reason.INACTIVE: "Inactive contacts stay out of the sync.",
    Reason.NO_MARKETING: "No Marketing keeps this person out of Mailchimp.",
    Reason.NO_EMAIL: "There is no e-mail address. Mailchimp knows people by theirs.",
    Reason.INVALID_EMAIL: "The e-mail address cannot exist. Correct it and save.",
    Reason.DUPLICATE: "Another contact with this e-mail address is synced instead.",
    Reason.DELETED: "Deleted contacts stay out of the sync.",
    "": "The sync is not on.",
}


def _standing(sync: ContactSync) -> str:
    if sync.reason is not Reason.FITS:
        return sync.reason
    if sync.state is SyncState.ARCHIVED and sync.gone:
        return "forgotten"
    return sync.state or ""


def _mailchimp_link(sync: ContactSync) -> str:
    account = sync.connection.account
    if not sync.web_id or not account.api_base.endswith(".api.mailchimp.com"):
        return ""
    return f"https://{account.data_center}.admin.mailchimp.com/lists/members/view?id={sync.web_id}"


def marketing_of(actor: Actor, contact: Contact) -> Marketing | None:
    """How the contact stands with the company's connection; None without one."""
    sync = contact_sync(contact)
    if sync is None:
        return None
    standing = _standing(sync)
    kind = sync.refusal_kind if standing == SyncState.FAILED else ""
    return Marketing(
        sync=sync,
        standing=standing,
        words=_WORDS.get(standing, ""),
        rival=rival_in(actor, sync),
        failure=FAILURES[RefusalKind(kind)] if kind else None,
        mailchimp_link=_mailchimp_link(sync),
    )


@door(Permission.VIEW_SYNC, nav="contacts")
def contact_marketing(request: AskedRequest, contact_id: int) -> HttpResponse:
    context = of_contact(request, contact_id, "marketing")
    marketing = marketing_of(request.actor, contact_of(request.actor, contact_id))
    context["marketing"] = marketing
    if marketing is not None:
        activity = contact_activity(request.actor, contact_id)
        context |= {
            "activity": activity,
            "stamp": activity_stamp(request.actor, contact_id),
            "plot": times_of_contact(activity.campaigns),
        }
        context["standing"] = marketing.standing
        context["only_differences"] = request.GET.get("show") == "differences"
    return answer(request, "book/contact_marketing.html", context)


def _back(request: AskedRequest, contact_id: int) -> HttpResponse:
    return go(request, reverse("book:contact_marketing", args=[contact_id]))


@door(Permission.EDIT_BOOK, methods=("POST",))
def sync_instead(request: AskedRequest, contact_id: int) -> HttpResponse:
    """“Sync this contact instead” (S3)."""
    contact = contact_of(request.actor, contact_id)
    choose_duplicate(request.actor, contact)
    undo = reverse("book:sync_newest", args=[contact_id])
    messages.success(request, f"{contact.full_name or contact.email} is synced from now on.", extra_tags=undo)
    return _back(request, contact_id)


@door(Permission.EDIT_BOOK, methods=("POST",))
def sync_newest(request: AskedRequest, contact_id: int) -> HttpResponse:
    """Back to the rule that the newest contact of an address is synced."""
    unchoose_duplicate(request.actor, contact_of(request.actor, contact_id))
    messages.success(request, "The newest contact with this address is synced again.")
    return _back(request, contact_id)


@door(Permission.MANAGE_COMPANY, methods=("POST",))
def sync_now(request: AskedRequest, contact_id: int) -> HttpResponse:
    """Look at this one contact again at once, whatever was refused before."""
    sync = contact_sync(contact_of(request.actor, contact_id))
    if sync is not None:
        try:
            retry(request.actor, sync.connection, states=list(SyncState), contact_ids=[contact_id])
        except SyncRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Lockstep looks at this contact again now.")
    return _back(request, contact_id)
