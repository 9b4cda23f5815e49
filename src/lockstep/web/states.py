"""How each state is drawn: one tone, one icon, one word (design, section 4).

The keys of sync states and reasons are the values of `core.member.SyncState`
and `core.member.Reason`; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STATES", "TONES", "StateLook", "look_of"]

TONES = ("ok", "run", "wait", "bad", "off", "left")


@dataclass(frozen=True, slots=True)
class StateLook:
    """`word` is for people; `mark` is the label where only the icon is shown."""

    tone: str
    icon: str
    word: str
    mark: str = ""
    why: str = ""
    """Of a contact's standing: the one sentence why it is, or isn't, in Mailchimp (P4)."""

    @property
    def label(self) -> str:
        return self.mark or self.word


STATES: dict[str, StateLook] = {
    # Where a contact that fits stands.
    "synced": StateLook(
        "ok",
        "mail-check",
        "Synced",
        "Synced to Mailchimp",
        why="In Mailchimp, and in step: it fits the sync, and every change reaches Mailchimp by itself.",
    ),
    "pending": StateLook(
        "wait",
        "clock",
        "Pending",
        "Waiting to sync",
        why="It fits the sync; the latest changes are on their way to Mailchimp.",
    ),
    "failed": StateLook(
        "bad",
        "alert-circle",
        "Failed",
        "Failed to sync",
        why="It fits the sync, but Mailchimp refused it; its Marketing tab says why and what to do.",
    ),
    "archived": StateLook(
        "off",
        "archive",
        "Archived",
        "Archived in Mailchimp",
        why="Archived in Mailchimp; only their own sign-up, or Mailchimp’s “Unarchive”, brings it back.",
    ),
    "unsubscribed": StateLook(
        "left",
        "user-minus",
        "Unsubscribed",
        why="In Mailchimp, unsubscribed or bounced; Lockstep never changes the marketing status.",
    ),
    # Why someone is left out.
    "outside": StateLook(
        "off",
        "filter-off",
        "Outside the filters",
        "Outside the sync filters",
        why="Not in the sync: it does not fit the filters of the sync.",
    ),
    "inactive": StateLook(
        "off",
        "circle-dashed",
        "Inactive",
        why="Not in the sync: who is inactive, or belongs to an inactive client, stays out.",
    ),
    "no_marketing": StateLook(
        "off", "mail-off", "No Marketing", why="Not in the sync: No Marketing keeps people out of Mailchimp."
    ),
    "no_email": StateLook(
        "off",
        "mail-question",
        "No e-mail",
        why="Not in the sync: there is no e-mail address, and Mailchimp knows people by theirs.",
    ),
    "invalid_email": StateLook(
        "bad",
        "mail-x",
        "Invalid e-mail",
        why="Not in the sync: the e-mail address cannot exist. Correct it and save.",
    ),
    "duplicate": StateLook(
        "wait",
        "copy",
        "Duplicate",
        why="Not in the sync: another contact with this e-mail address is synced instead.",
    ),
    "deleted": StateLook("off", "trash", "Deleted", why="Not in the sync: who is deleted stays out."),
    # Statuses in Mailchimp beside those above.
    "subscribed": StateLook("ok", "mail-opened", "Subscribed"),
    "cleaned": StateLook("off", "trash", "Cleaned"),
    "transactional": StateLook("off", "mail", "Non-subscribed"),
    "confirming": StateLook("wait", "clock", "Not confirmed yet"),
    "forgotten": StateLook(
        "off",
        "trash",
        "Deleted for good",
        why="Deleted for good in Mailchimp, which takes the address back only by the person’s own sign-up.",
    ),
    # Runs.
    "auditing": StateLook("run", "list-search", "Auditing"),
    "syncing": StateLook("run", "refresh", "Syncing"),
    "stopped": StateLook("off", "player-stop", "Stopped"),
    "finished": StateLook("ok", "circle-check", "Finished"),
    "finished_with_failures": StateLook("wait", "alert-triangle", "Finished with failures"),
    "could_not_start": StateLook("bad", "alert-circle", "Could not start"),
    # Dry run and live feed.
    "to_add": StateLook("ok", "plus", "To add"),
    "to_update": StateLook("run", "pencil", "To update"),
    "unchanged": StateLook("off", "equal", "Unchanged"),
    "will_fail": StateLook("bad", "alert-circle", "Will fail"),
    # Field comparison.
    "edited_in_mailchimp": StateLook("wait", "arrows-diff", "Edited in Mailchimp"),
    "differs": StateLook("wait", "arrows-diff", "Differs"),
}


def look_of(kind: str) -> StateLook:
    """Raises `LookupError` for a state that has no look: every state must be drawn on purpose."""
    try:
        return STATES[kind]
    except KeyError:
        raise LookupError(f"The state “{kind}” has no look in web/states.py") from None
