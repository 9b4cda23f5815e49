"""The template tags: what comes from outside is escaped, and every state has a look."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from lockstep.core.errors import BrokenKind
from lockstep.core.member import Reason, SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.web.failures import BROKEN, FAILURES
from lockstep.web.icons import icon_names, icon_paths
from lockstep.web.states import STATES, TONES, look_of

NASTY = '<script>"&'
ESCAPED = "&lt;script&gt;&quot;&amp;"


def draw(source: str, **context: Any) -> str:
    context.setdefault("request", RequestFactory().get("/clients", context.pop("get", {})))
    return Template(source).render(Context(context))


@pytest.mark.parametrize("kind", [*SyncState, *(reason for reason in Reason if reason is not Reason.FITS)])
def test_whatever_the_core_says_of_a_contact_has_a_look(kind: str) -> None:
    assert look_of(kind).word


def test_looks_use_tones_and_icons_that_exist() -> None:
    assert {look.tone for look in STATES.values()} <= set(TONES)
    assert {look.icon for look in STATES.values()} <= icon_names()


def test_no_two_states_of_a_contact_look_the_same() -> None:
    of_contacts = [look_of(kind) for kind in [*SyncState, *(r for r in Reason if r is not Reason.FITS)]]
    assert len({(look.icon, look.word) for look in of_contacts}) == len(of_contacts)


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(LookupError, match="sunk"):
        draw('{% state "sunk" %}')


def test_an_unknown_icon_is_refused() -> None:
    with pytest.raises(LookupError, match="no-such-icon"):
        icon_paths("no-such-icon")


def test_every_icon_is_an_outline_without_its_frame() -> None:
    for name in icon_names():
        assert icon_paths(name).startswith("<")
        assert "<svg" not in icon_paths(name)
        assert 'stroke="none"' not in icon_paths(name)


def test_state_has_icon_and_word() -> None:
    html = draw('{% state "failed" %}')
    assert 'data-tone="bad"' in html
    assert "<svg" in html
    assert html.endswith("Failed</span>")


def test_mark_speaks_to_those_who_cannot_see_it() -> None:
    html = draw('{% mark "no_marketing" %}')
    assert 'role="img" aria-label="No Marketing" title="Not in the sync: ' in html


def test_syncing_turns() -> None:
    assert 'class="i spin"' in draw('{% pill "syncing" %}')


@pytest.mark.parametrize(
    "source",
    [
        '{% state "failed" text %}',
        '{% mark "failed" text %}',
        '{% pill "failed" text %}',
        "{% bar parts text %}",
        "{% share 1 2 text %}",
        "{% callout %}{{ text }}{% endcallout %}",
        '{% empty "search" text text %}',
        "{% search text text %}",
        '{% pager text "a" "b" %}',
        "{% client_status status %}",
    ],
)
def test_text_from_outside_is_escaped(source: str) -> None:
    class Status:
        name, glyph = NASTY, NASTY

    html = draw(source, text=NASTY, parts=[("ok", 1)], status=Status)
    assert NASTY not in html
    assert ESCAPED in html


def test_bar_shares_add_up_and_empty_parts_are_left_out() -> None:
    html = draw('{% bar parts "words" %}', parts=[("ok", 3), ("bad", 0), ("rest", 1)])
    assert html.count("<i ") == 2
    assert 'data-tone="ok" style="flex:75.00"' in html
    assert 'class="rest" style="flex:25.00"' in html


def test_bar_of_nothing() -> None:
    assert "<i " not in draw('{% share 0 0 "none" %}')


def test_query_replaces_and_forgets_the_page() -> None:
    get = {"q": "a b", "status": ["1", "2"], "page": "xyz"}
    assert draw('{% query sort="name" %}', get=get) == "?q=a+b&amp;status=1&amp;status=2&amp;sort=name"
    assert draw("{% query status=None %}", get=get) == "?q=a+b"
    assert draw('{% query page="n" %}', get=get) == "?q=a+b&amp;status=1&amp;status=2&amp;page=n"


def test_missing_values_are_a_dash() -> None:
    assert (
        draw("{{ a|dash }}{{ b|number }}{{ c|percent }}{{ d|when }}", a="", b=None, c=None, d=None) == "————"
    )


def test_every_refusal_and_every_break_has_words() -> None:
    assert set(FAILURES) == set(RefusalKind)
    assert set(BROKEN) == set(BrokenKind)
    assert all(words.title and words.means and words.steps for words in FAILURES.values())
