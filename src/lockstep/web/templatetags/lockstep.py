"""The parts of the design that are smaller than a template.

Loaded in every template (`builtins` in the settings). Each tag returns markup
in which everything that comes from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.defaultfilters import stringfilter
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from lockstep import __version__
from lockstep.apps.accounts.models import Company
from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.reports.queries import views_of
from lockstep.web import wording
from lockstep.web.account.browsers import browser_name
from lockstep.web.icons import icon_paths
from lockstep.web.states import StateLook, look_of

register = template.Library()

_GLYPHS = {
    "full": mark_safe('<span class="stage full"></span>'),
    "half": mark_safe('<span class="stage half"></span>'),
    "empty": mark_safe('<span class="stage"></span>'),
    "dashed": mark_safe('<span class="stage dashed"></span>'),
    "star": mark_safe(
        '<span class="stage star"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2.8l2.75 5.9'
        " 6.45.75-4.8 4.4 1.3 6.4L12 17l-5.7 3.25 1.3-6.4-4.8-4.4 6.45-.75z"
        '"/></svg></span>'
    ),
}


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon inline; `size` is one of the stylesheet's (“s14” … “s24”) or “spin”."""
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>',
        f"i {size}".strip(),
        mark_safe(icon_paths(name)),  # noqa: S308 -- our own files
    )


@register.simple_tag
def logo() -> SafeString:
    return mark_safe(
        '<span class="mark"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12.5h4.5V7H14"/>'
        '<path d="M10 17h4.5v-5.5H19"/></svg></span>'
    )


@register.simple_tag
def avatar(name: str, size: str = "", *, person: bool = True) -> SafeString:
    """Initials on a tint; people are circles, clients rounded squares. Says nothing to screen readers."""
    return format_html(
        '<span class="{}" style="--h:{}" aria-hidden="true">{}</span>',
        " ".join(filter(None, ("av", size, "p" if person else ""))),
        wording.avatar_hue(name),
        wording.initials(name),
    )


def _state(look: StateLook, kind: str, word: str, css: str) -> SafeString:
    return format_html(
        '<span class="{}" data-tone="{}"{}>{}{}</span>',
        css,
        look.tone,
        format_html(' title="{}"', look.why) if look.why and word in ("", look.word) else "",
        icon(look.icon, "spin" if kind == "syncing" else ""),
        word or look.word,
    )


@register.simple_tag
def state(kind: str, word: str = "") -> SafeString:
    """Icon in the tone, word in calm text."""
    return _state(look_of(kind), kind, word, "state")


@register.filter
def why_of(kind: str) -> str:
    """The one sentence why a contact that stands so is, or isn't, in Mailchimp (P4); '' for other states."""
    return look_of(kind).why if kind else ""


@register.simple_tag
def pill(kind: str, word: str = "") -> SafeString:
    """A state with a tint, once a page, beside the title."""
    return _state(look_of(kind), kind, word, "state pill")


@register.simple_tag
def mark(kind: str, label: str = "") -> SafeString:
    """The icon of a state alone, with its words for those who can't see it."""
    look = look_of(kind)
    words = label or look.label
    title = look.why if look.why and not label else words
    return format_html(
        '<span class="mk" data-tone="{}" role="img" aria-label="{}" title="{}">{}</span>',
        look.tone,
        words,
        title,
        icon(look.icon),
    )


@register.simple_tag
def bar(parts: Iterable[tuple[str, int]], label: str, size: str = "") -> SafeString:
    """Parts of a whole as (tone, count); the tone “rest” leaves its share empty. `label` says it in words."""
    shown = [(tone, count) for tone, count in parts if count > 0]
    total = sum(count for _, count in shown) or 1
    return format_html(
        '<span class="{}" role="img" aria-label="{}">{}</span>',
        f"bar {size}".strip(),
        label,
        format_html_join(
            "",
            '<i {}="{}" style="flex:{}"></i>',
            (
                ("class" if tone == "rest" else "data-tone", tone, f"{count / total * 100:.2f}")
                for tone, count in shown
            ),
        ),
    )


@register.simple_tag
def share(part: int, whole: int, label: str, size: str = "mini thin", tone: str = "ok") -> SafeString:
    """A bar of `part` in `whole`."""
    return bar([(tone, part), ("rest", whole - part)], label, size)


@register.simple_tag
def client_status(status: Any) -> SafeString:
    """A client's status with its glyph; `status` has `name` and `glyph`. Nothing where there is none."""
    if not status:
        return SafeString("")
    return format_html(
        '<span class="row nowrap s15">{}{}</span>', _GLYPHS.get(status.glyph, _GLYPHS["empty"]), status.name
    )


@register.filter
def number(value: int | None) -> str:
    return wording.number(value)


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    return wording.percent(value, digits)


@register.filter
def counted(value: int, one: str) -> str:
    """`3|counted:"contact"` is “3 contacts”; give both words as “client,clients” where an s is not enough."""
    singular, _, many = one.partition(",")
    return wording.plural(value, singular, many)


@register.filter
def noun(value: int, one: str) -> str:
    """The word of `counted` alone, where the number stands elsewhere."""
    return wording.plural(value, *one.split(",")).partition(" ")[2]


@register.filter
def flagged_label(count: int) -> str:
    return f"{wording.number(count)} flagged No Marketing"


@register.filter
def browser(user_agent: str) -> str:
    """“Firefox on Windows” out of what a browser says about itself."""
    return browser_name(user_agent)


@register.filter
def dash(value: Any) -> Any:
    """What is missing is a dash, never empty, 0 or N/A."""
    return wording.MISSING if value in (None, "") else value


@register.filter
def when(value: datetime | None) -> str:
    """“14 min ago”, “Today, 09:42”, “Yesterday”, “20 Nov”; the full date and zone in the title."""
    if value is None:
        return wording.MISSING
    at = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        wording.full_moment(at),
        wording.moment(at, timezone.localtime()),
    )


@register.filter
def on_day(value: datetime | None) -> str:
    """“14 Feb 2025”, with the time in the title."""
    if value is None:
        return wording.MISSING
    at = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{} {}</time>',
        at.isoformat(timespec="seconds"),
        wording.full_moment(at),
        at.day,
        f"{at:%b %Y}",
    )


@register.filter
@stringfilter
def without_scheme(value: str) -> str:
    return value.partition("://")[2].rstrip("/") if "://" in value else value.rstrip("/")


@register.simple_tag(takes_context=True)
def nav_link(
    context: Mapping[str, Any], key: str, target: str, glyph: str, label: str, count: Any = None
) -> SafeString:
    """A link of the sidebar, marked where the page belongs to it; nothing where the target is no page yet."""
    try:
        address = reverse(target)
    except NoReverseMatch:
        return SafeString("")
    return format_html(
        '<a href="{}"{}>{}{}{}</a>',
        address,
        SafeString(' aria-current="page"') if context.get("nav") == key else "",
        icon(glyph),
        label,
        format_html('<span class="n">{}</span>', count) if count not in (None, "") else "",
    )


@register.simple_tag
def page_link(target: str, glyph: str, label: str, size: str = "") -> SafeString:
    """A button that leads to a page; nothing where there is no such page."""
    try:
        address = reverse(target)
    except NoReverseMatch:
        return SafeString("")
    css = f"btn {size}".strip()
    return format_html('<a class="{}" href="{}">{}{}</a>', css, address, icon(glyph) if glyph else "", label)


@register.simple_tag
def tab_link(target: str, argument: Any, label: str, tab: str, key: str) -> SafeString:
    """A tab, marked where it is the page's; nothing where there is no such page."""
    try:
        address = reverse(target, args=[argument])
    except NoReverseMatch:
        return SafeString("")
    here = SafeString(' aria-current="page"') if tab == key else ""
    return format_html('<a href="{}"{}>{}</a>', address, here, label)


@register.simple_tag(takes_context=True)
def query(context: Mapping[str, Any], **changes: Any) -> str:
    """The page's own query string with some parameters replaced; None or "" removes one.

    A change of anything but the page (a cursor) leads to the first page.
    """
    parameters = context["request"].GET.copy()
    changes = {"page": None} | changes
    for name, value in changes.items():
        parameters.pop(name, None)
        if value not in (None, ""):
            parameters.setlist(
                name, [str(item) for item in value] if isinstance(value, list) else [str(value)]
            )
    text = urlencode([(name, value) for name, values in parameters.lists() for value in values if value])
    return f"?{text}" if text else "?"


@register.inclusion_tag("web/parts/search.html", takes_context=True)
def search(
    context: Mapping[str, Any], placeholder: str, label: str, name: str = "q", *, key: bool = True
) -> dict[str, Any]:
    """A search field holding what the page was asked with; `key` shows the shortcut."""
    request = context.get("request")
    value = request.GET.get(name, "") if request else ""
    return {"placeholder": placeholder, "label": label, "name": name, "key": key, "value": value}


@register.inclusion_tag("web/parts/filter.html", takes_context=True)
def filter_chip(context: Mapping[str, Any], pick: Any) -> dict[str, Any]:
    """A filter as a chip with its picker (see `web.filters.Filter`)."""
    return {"filter": pick, "cleared": query(context, **{pick.name: None})}


@register.inclusion_tag("web/parts/chip_oob.html", takes_context=True)
def chip_again(context: Mapping[str, Any], pick: Any) -> dict[str, Any]:
    """The chip alone, for an htmx answer in which the list changed and the picker stays open."""
    return {"filter": pick, "cleared": query(context, **{pick.name: None})}


@register.inclusion_tag("web/parts/pager.html", takes_context=True)
def pager(
    context: Mapping[str, Any],
    text: str,
    previous: str | None = None,
    following: str | None = None,
    target: str = "",
) -> dict[str, Any]:
    """Previous and next by cursor, None where there is no such page; htmx swaps `target` where given."""
    return {
        "text": text,
        "target": target,
        "previous": query(context, page=previous) if previous else "",
        "next": query(context, page=following) if following else "",
    }


@register.simple_tag
def place_in(page: Any) -> str:
    """“1–50 of 2,146”; “1–50 of more than 10,000” where counting stopped there."""
    total = wording.number(page.total) if page.total_is_exact else f"more than {wording.number(page.total)}"
    return f"{wording.number(page.first)}–{wording.number(page.last)} of {total}" if page.rows else ""


@register.filter
def lookup(mapping: Mapping[Any, Any], key: Any) -> Any:
    """`standings|lookup:row.id`; empty where there is none."""
    return mapping.get(key, "")


@register.simple_tag(takes_context=True)
def sort_head(
    context: Mapping[str, Any], label: str, field: str, sort: str, target: str = "#rows"
) -> SafeString:
    """The head of a column that can be sorted by, with its direction; a second click turns it round."""
    here = sort.removeprefix("-") == field
    down = sort.startswith("-")
    # Dates begin with the newest, names with A.
    first = f"-{field}" if field == "changed" else field
    turned = (field if down else f"-{field}") if here else first
    address = query(context, sort=turned)
    return format_html(
        '<th scope="col"{}{}><a href="{}" hx-get="{}" hx-target="{}" hx-swap="outerHTML" hx-push-url="true">'
        "{}{}</a></th>",
        SafeString(' class="r"') if field == "changed" else "",
        format_html(' aria-sort="{}"', "descending" if down else "ascending") if here else "",
        address,
        address,
        target,
        label,
        icon("chevron-down" if down else "chevron-up", "s14") if here else "",
    )


@register.inclusion_tag("web/parts/empty.html")
def empty(glyph: str, title: str, text: str = "") -> dict[str, Any]:
    """Says what is missing and why."""
    return {"glyph": glyph, "title": title, "text": text}


@register.simple_tag
def choose(value: Any, name: str) -> SafeString:
    """The box by which a row of a list is chosen; it belongs to the form of `book/selbar.html`."""
    return format_html(
        '<label class="check pick1"><input type="checkbox" form="pick" name="pick" value="{}">'
        '<span class="sr">Choose {}</span></label>',
        value,
        name,
    )


@register.simple_tag
def choose_all(what: str) -> SafeString:
    """The box in the head of a list that chooses every row of the page; it needs the script."""
    return format_html(
        '<label class="check pick1"><input type="checkbox" data-choose-page>'
        '<span class="sr">Choose all {} on this page</span></label>',
        what,
    )


@register.simple_tag
def version() -> str:
    return __version__


@register.simple_tag
def installation_name() -> str:
    """The company's name where this installation serves only one; else nothing."""
    names = list(Company.objects.order_by("id").values_list("name", flat=True)[:2])
    return names[0] if len(names) == 1 else ""


@register.simple_block_tag
def callout(content: str, glyph: str = "info-circle", tone: str = "") -> SafeString:
    """A notice: the content is one bold sentence that says what is, then one that says what to do."""
    return format_html(
        '<div class="callout"{}>{}<div class="prose">{}</div></div>',
        format_html(' data-tone="{}"', tone) if tone else "",
        icon(glyph),
        content,
    )


@register.inclusion_tag("report/saved.html", takes_context=True)
def saved_views(context: Mapping[str, Any], page: str) -> dict[str, Any]:
    """The menu of a list's saved views, and keeping what it shows now; one query."""
    request = context["request"]
    views = views_of(request.actor, page)
    here = next((view for view in views if str(view.pk) == request.GET.get("view")), None)
    mine = here is not None and (
        here.owner_id == request.seat.user_id or request.actor.may(Permission.MANAGE_COMPANY)
    )
    return {
        "views": views,
        "here": here,
        "mine": mine,
        "own_name": here.name if here is not None and here.owner_id == request.seat.user_id else "",
        "me": request.seat.user_id,
        "page": page,
        "query": request.GET.urlencode(),
        "may_share": request.actor.may(Permission.EDIT_BOOK),
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag(takes_context=True)
def saved_query(context: Mapping[str, Any]) -> SafeString:
    """In an htmx answer: what Save keeps follows what the list shows."""
    request = context["request"]
    if not request.htmx:
        return SafeString("")
    return format_html(
        '<input type="hidden" name="query" id="view-query" value="{}" hx-swap-oob="true">',
        request.GET.urlencode(),
    )
