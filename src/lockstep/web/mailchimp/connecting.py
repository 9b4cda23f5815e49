"""Integrations > Marketing > Mailchimp in the settings: connect, choose an audience, disconnect."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.connections import queries, services
from lockstep.apps.connections.errors import ConnectError, SyncIsOn
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.queries import state_counts
from lockstep.bridge.account import AudienceFacts
from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.core.member import SyncState
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.failures import BROKEN, BrokenWords
from lockstep.web.mailchimp.outcomes import outcome_parts, outcome_words

__all__ = [
    "audience_choice",
    "automatic_work",
    "check",
    "connect",
    "connect_key",
    "index",
    "leave",
    "oauth_return",
    "select",
]

NAV = "integrations"


@dataclass(frozen=True, slots=True)
class AtWork:
    """An audience whose sync is on or being stopped, with its five counts."""

    connection: Connection
    counts: dict[SyncState, int]
    filters: str
    broken: BrokenWords | None = None
    parts: tuple[tuple[str, int], ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class AccountCard:
    account: MailchimpAccount
    broken: BrokenWords | None
    at_work: list[AtWork] = field(default_factory=list)

    @property
    def busy(self) -> Connection | None:
        """What has to be stopped before this account can be disconnected."""
        return self.at_work[0].connection if self.at_work else None


@door(Permission.MANAGE_COMPANY, nav=NAV)
def index(request: AskedRequest) -> HttpResponse:
    return _page(request)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def connect(request: AskedRequest) -> HttpResponse:
    """To Mailchimp's own log-in page; a plain form, since a browser must really go there."""
    try:
        return HttpResponseRedirect(
            services.begin_oauth(request.actor, request.session, return_address=_return_address())
        )
    except ConnectError as error:
        return _page(request, problem=str(error))


@door(Permission.MANAGE_COMPANY, nav=NAV)
def oauth_return(request: AskedRequest) -> HttpResponse:
    """Where Mailchimp sends the browser after Allow, or after its refusal."""
    try:
        account = services.finish_oauth(
            request.actor,
            request.session,
            code=request.GET.get("code", ""),
            state=request.GET.get("state", ""),
            return_address=_return_address(),
        )
    except ConnectError as error:
        return _page(request, problem=str(error))
    messages.success(request, f"Connected to {account.account_name}.")
    return HttpResponseRedirect(reverse("mailchimp:index"))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def connect_key(request: AskedRequest) -> HttpResponse:
    try:
        account = services.connect_api_key(request.actor, request.POST.get("key", ""))
    except ConnectError as error:
        return _page(request, key_problem=str(error))
    messages.success(request, f"Connected to {account.account_name}.")
    return HttpResponseRedirect(reverse("mailchimp:index"))


@door(Permission.MANAGE_COMPANY, nav=NAV)
def audience_choice(request: AskedRequest, account_id: int) -> HttpResponse:
    """Select Audience and the checks of the one chosen: asks Mailchimp, so the page fetches it by itself."""
    account = _account(request, account_id)
    wanted = request.GET.get("list_id", "")
    context: dict[str, object] = {"account": account}
    try:
        found = queries.audiences(request.actor, account)
        free = [audience for audience in found if audience.list_id not in _at_work(account)]
        chosen = _preselected(account, free, wanted)
        context |= {"audiences": free, "chosen": chosen, "none_at_all": not found}
        if chosen is not None:
            context["checks"] = queries.check_audience(request.actor, account, chosen.list_id)
            context["former"] = account.connections.filter(list_id=chosen.list_id).first()
    except ConnectionBroken as error:
        services.note_broken(account, error)
        context |= {"broken": BROKEN[error.kind], "raw": error.raw}
    except ConnectError as error:
        context |= {"problem": str(error), "raw": getattr(error, "raw", "")}
    return answer(request, "mailchimp/audience_page.html", context, fragment="choice")


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def select(request: AskedRequest, account_id: int) -> HttpResponse:
    """Select Audience, then Configure."""
    account = _account(request, account_id)
    try:
        connection = services.select_audience(request.actor, account, request.POST.get("list_id", ""))
    except ConnectionBroken as error:
        services.note_broken(account, error)
        return _page(request, problem=BROKEN[error.kind].title)
    except ConnectError as error:
        return _page(request, problem=str(error))
    return HttpResponseRedirect(reverse("mailchimp:configure", args=[connection.pk]))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def check(request: AskedRequest, account_id: int) -> HttpResponse:
    """Check again: somebody may have mended the login at Mailchimp."""
    try:
        services.check_again(request.actor, _account(request, account_id))
    except ConnectError as error:
        return _page(request, problem=str(error))
    messages.success(request, "The login works again.")
    return HttpResponseRedirect(reverse("mailchimp:index"))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def leave(request: AskedRequest, account_id: int) -> HttpResponse:
    """Disconnect Mailchimp > OK."""
    account = _account(request, account_id)
    try:
        services.disconnect(request.actor, account)
    except SyncIsOn as error:
        return _page(request, problem=str(error))
    messages.success(request, f"{account.account_name} is disconnected. Nobody was removed from Mailchimp.")
    return HttpResponseRedirect(reverse("mailchimp:index"))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def automatic_work(request: AskedRequest, connection_id: int) -> HttpResponse:
    connection = services.find_connection(request.actor, connection_id)
    services.save_automatic_work(
        request.actor,
        connection,
        nightly_audit="nightly_audit" in request.POST,
        unsubscribe_sets_no_marketing="unsubscribe_sets_no_marketing" in request.POST,
    )
    messages.success(request, "Saved.")
    if request.htmx:
        return answer(request, "mailchimp/index.html", fragment="saved")
    return HttpResponseRedirect(reverse("mailchimp:index"))


def _page(request: AskedRequest, *, problem: str = "", key_problem: str = "") -> HttpResponse:
    """Connect, or what is connected; what could not be done stands on top (422)."""
    accounts = queries.accounts_of(request.company.pk)
    context = {
        "cards": [_card(account) for account in accounts],
        "problem": problem,
        "key_problem": key_problem,
        "oauth": bool(settings.MAILCHIMP_CLIENT_ID),
        "practice": bool(settings.MAILCHIMP_API_BASE_OVERRIDE),
        "another": "another" in request.GET or bool(key_problem),
    }
    template = "mailchimp/index.html" if accounts else "mailchimp/connect.html"
    return answer(request, template, context, status=422 if problem or key_problem else 200)


def _card(account: MailchimpAccount) -> AccountCard:
    broken = BROKEN[BrokenKind(account.broken_kind)] if account.broken_kind else None
    busy = account.connections.exclude(mode=Connection.Mode.OFF).order_by("id")
    return AccountCard(account, broken, [_work(connection) for connection in busy])


def _work(connection: Connection) -> AtWork:
    counts = state_counts(connection)
    named = queries.names_of(connection.company_id, Preferences.from_json(connection.preferences))
    return AtWork(
        connection,
        counts,
        queries.in_words(named),
        BROKEN[BrokenKind(connection.broken_kind)] if connection.broken_kind else None,
        outcome_parts(counts),
        outcome_words(counts),
    )


def _at_work(account: MailchimpAccount) -> set[str]:
    return set(account.connections.exclude(mode=Connection.Mode.OFF).values_list("list_id", flat=True))


def _preselected(
    account: MailchimpAccount, offered: list[AudienceFacts], wanted: str
) -> AudienceFacts | None:
    """The one asked for, else the one chosen last, else the largest."""
    last = account.connections.order_by("-selected_at").values_list("list_id", flat=True).first()
    by_id = {audience.list_id: audience for audience in offered}
    largest = max(offered, key=lambda audience: audience.subscribed, default=None)
    return by_id.get(wanted) or by_id.get(last or "") or largest


def _account(request: AskedRequest, account_id: int) -> MailchimpAccount:
    found = MailchimpAccount.objects.filter(
        pk=account_id, company=request.company, disconnected_at=None
    ).first()
    if found is None:
        raise Http404("This Mailchimp account does not exist, or it is disconnected.")
    return found


def _return_address() -> str:
    return settings.LOCKSTEP_BASE_URL + reverse("mailchimp:oauth_return")
