"""A practice Mailchimp: the Marketing API 3.0 with its rules, limits, error texts and quirks, in memory.

    from lockstep.sandbox import create_app          # an ASGI application
    python -m lockstep.sandbox --port 8350           # a server on the loopback

It knows nothing of Lockstep and shares no code with its client or engine, so that it can witness against
them. What it promises is in docs/reference/sandbox.md; sections named in the code are those of the Mailchimp
contract.

How a request goes: `door` (HTTP, faults, limits, log) → `api` (route, key, problem documents) →
`routes/<resource>` (parse, call, shape) → the rules of the resource (`subscription`, `batch_subscribe`,
`merge_field` …), which work on `Audience` and `Member` and know neither HTTP nor JSON envelopes.

What happens later or elsewhere: `schedule` holds calls by the simulated clock, `heart` ticks between requests
while anything is to come, `courier` carries webhook calls out (`webhook` and `batch` say what, `post_office`
when and how often). Campaigns are `campaign` (drafts and sending), `behaviour` (a script of what readers will
do), `mailing` (what they did, a few bytes each) and `report` (how the API tells it).

To add a resource:

1. State and rules in `<resource>.py`. Keep its state in `sandbox.store("<resource>", Factory)`, which a reset
   empties. Time comes from `sandbox.clock`, ids and dice from `sandbox.ids`. Things that happen later go to
   `sandbox.schedule.at(moment, action)`; `sandbox.tick` runs them, which every request and every move of the
   clock calls. What happens to members is heard through `sandbox.events.subscribe(listener)`
   (`events.MemberEvent`). Refuse by raising a `problems.Problem`; put new vendor texts into `problems.py`,
   marked INFERRED where they are.
2. Routes in `routes/<resource>.py`: `routes = Routes("Lists/<Name>")` and one function per path with
   `@routes.get("/lists/{list_id}/…")`. Read the query through `call.page()`, `call.flag()` and so on, check
   the body with `call.body(SHAPE)` (`schema.py`), answer with `shapes.collection` or `shapes.instance`,
   which do `fields` and `exclude_fields`; return None for 204, or `api.Later` where an address must be asked
   before there is an answer. Add the module to `COLLECTIONS` in
   `routes/__init__.py`.
3. Pages in `pages.py`, or a module `<subject>_pages.py` beside it, within `page_frame.Frame`, and
   `templates/`; control-door verbs in `control.py`.
4. Tests under `tests/sandbox/`, each naming the contract's section, through `testing.SandboxClient`.
"""

from __future__ import annotations

from .app import SandboxApp, create_app
from .clock import Clock
from .sandbox import DEFAULT_API_KEY, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from .switches import Switches

__all__ = [
    "DEFAULT_API_KEY",
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "Clock",
    "Sandbox",
    "SandboxApp",
    "Switches",
    "create_app",
]
