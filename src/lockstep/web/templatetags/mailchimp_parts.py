"""Parts of the Mailchimp pages: check marks, keys of the five counts, plans in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lockstep.apps.connections.queries import Verdict
from lockstep.core.member import SyncState
from lockstep.web import wording
from lockstep.web.states import look_of
from lockstep.web.templatetags.lockstep import icon

register = template.Library()

_VERDICTS = {
    Verdict.GOOD: ("ok", "circle-check", "Good"),
    Verdict.CARE: ("wait", "alert-triangle", "Take care"),
    Verdict.BAD: ("bad", "alert-circle", "Will not work"),
    Verdict.UNKNOWN: ("off", "circle-dashed", "Not known"),
}

_PLANS = {
    "monthly": "monthly plan",
    "pay_as_you_go": "pay as you go",
    "forever_free": "free plan",
}


@register.simple_tag
def page_tab(target: str, label: str) -> SafeString:
    """A tab that leads to another page; nothing where that is no page yet."""
    try:
        return format_html('<a href="{}">{}</a>', reverse(target), label)
    except NoReverseMatch:
        return SafeString("")


@register.simple_tag
def check_mark(verdict: str) -> SafeString:
    """What came of a check, as an icon with its word."""
    tone, glyph, word = _VERDICTS[Verdict(verdict)]
    return format_html(
        '<span class="mk" data-tone="{}" role="img" aria-label="{}">{}</span>', tone, word, icon(glyph)
    )


@register.simple_tag
def count_key(state: SyncState, count: int, connection_id: int) -> SafeString:
    """One of the five counts beside its colour in the bar; leads to exactly its contacts."""
    look = look_of(SyncState(state).value)
    return format_html(
        '<a class="plain" href="{}?tab={}&amp;list=1">'
        '<span class="sq" data-tone="{}"></span>{} <b>{}</b></a>',
        reverse("sync:window", args=[connection_id]),
        SyncState(state).value,
        look.tone,
        look.word,
        wording.number(count),
    )


@register.filter
def plan_words(plan: str) -> str:
    """Mailchimp's word for the plan, as people say it."""
    return _PLANS.get(plan, f"{plan.replace('_', ' ')} plan")


@register.simple_tag
def tone_of(state: SyncState) -> str:
    return look_of(SyncState(state).value).tone


@register.simple_tag(takes_context=True)
def column(context: Mapping[str, Any], label: str, field: str, sort: str) -> SafeString:
    """The head of a column of the sync window that the tab can be sorted by; dates begin with the newest."""
    parameters = context["request"].GET.copy()
    parameters.pop("page", None)
    parameters["sort"] = field
    newest_first = field in {"synced", "refused"}
    direction = "descending" if newest_first else "ascending"
    return format_html(
        '<th scope="col"{}{}><a href="?{}">{}{}</a></th>',
        SafeString(' class="r"') if newest_first else "",
        format_html(' aria-sort="{}"', direction) if sort == field else "",
        parameters.urlencode(),
        label,
        icon("chevron-down" if newest_first else "chevron-up", "s14") if sort == field else "",
    )
