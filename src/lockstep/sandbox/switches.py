"""Choices about behaviour that the contract leaves open, or that tests want both ways."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Switches", "choices_of"]


_CHOICES = {
    "batch_validator": ("status_if_new", "status_required", "status_if_new_ignored"),
    "batch_compliance": ("silent", "error"),
    "long_text": ("reject", "truncate", "keep"),
    "stored_address": ("refuse", "ignore"),
    "webhook_retries": ("growing", "even"),
}


@dataclass(slots=True)
class Switches:
    """Each can be set at start, or later through the control door (`/_sandbox/switches`)."""

    #: Which generation of the batch validator answers (contract, section 0 and 5):
    #: `status_if_new` honours it; `status_required` refuses items without `status`;
    #: `status_if_new_ignored` takes a missing `status` for `subscribed`, also for existing contacts.
    batch_validator: str = "status_if_new"
    #: A batch that says `subscribed` of somebody who unsubscribed: `silent` leaves them and reports an update
    #: (trap 21), `error` adds an error item.
    batch_compliance: str = "silent"
    #: Text above 255 bytes: `reject`, `truncate` or `keep` (contract, 3.2).
    long_text: str = "reject"
    #: What an incomplete stored address does to later updates: `refuse` (400) or `ignore` (200, nothing
    #: changes).
    stored_address: str = "refuse"
    #: Refuse role, typo and reserved-domain addresses as the service does (trap 26); tests need it off.
    refuse_fake_addresses: bool = False
    #: Answer merge-field messages in the language of the audience (trap 5).
    translate: bool = False
    #: Age in seconds up to which the numbers in a list's `stats` may be served from a cache (trap 47).
    stats_cache_seconds: int = 0
    #: Requests at once per user before 429 (contract, 7).
    connections: int = 10
    #: Merge fields per audience, EMAIL included (contract, 3.3: 30, or 80 on Premium).
    merge_field_limit: int = 30
    #: Contacts per account before the plan limit is reached; 0 = none.
    plan_limit: int = 0
    #: New audiences come with BIRTHDAY and COMPANY too, as in newer accounts (contract, 3.3).
    newer_default_fields: bool = False
    #: Simulated seconds between an event and its webhook call.
    webhook_delay_seconds: int = 0
    #: Repeats of a webhook call that is not taken: `growing` gaps for 75 minutes, or `even` ones, twenty
    #: times every twenty minutes (contract, 8). Then the webhook is disabled.
    webhook_retries: str = "growing"
    #: Leave `data[action]` out of unsubscribe calls, as was seen (trap 34).
    webhook_omits_action: bool = False
    #: Simulated seconds that a batch stays in each of pending, preprocessing and finalizing.
    batch_stage_seconds: int = 1
    #: Operations of a batch per simulated second; 0 = all at once. Sixteen was seen (contract, 6).
    batch_operations_per_second: int = 100

    def set(self, name: str, value: Any) -> None:
        """Change one switch; raises ValueError for an unknown name or a value it does not take."""
        known = {switch.name: switch for switch in fields(self)}
        if name not in known:
            raise ValueError(f"no such switch: {name}; there are {', '.join(known)}")
        now = getattr(self, name)
        if type(value) is not type(now):
            raise ValueError(f"{name} takes a {type(now).__name__}, not {value!r}")
        choices = _CHOICES.get(name)
        if choices and value not in choices:
            raise ValueError(f"{name} takes one of {', '.join(choices)}, not {value!r}")
        setattr(self, name, value)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All switches."""
        return tuple(switch.name for switch in fields(cls))


def choices_of(name: str) -> tuple[str, ...]:
    """The words that a switch takes; none for numbers and yes or no."""
    return _CHOICES.get(name, ())
