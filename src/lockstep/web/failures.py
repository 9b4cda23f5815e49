"""What a refusal or a broken connection means, and what a person can do about it.

Mailchimp's own text is always shown beside these words: people search for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.core.errors import BrokenKind
from lockstep.core.outcome import RefusalKind

__all__ = ["BROKEN", "FAILURES", "BrokenWords", "FailureWords"]


@dataclass(frozen=True, slots=True)
class FailureWords:
    """One kind of refusal. `retry_helps` is about pressing Retry once the steps are done."""

    title: str
    means: str
    steps: tuple[str, ...]
    retry_helps: bool


@dataclass(frozen=True, slots=True)
class BrokenWords:
    """Why a connection pauses: what is, and what to do."""

    title: str
    todo: str


FAILURES: dict[RefusalKind, FailureWords] = {
    RefusalKind.FAKE_ADDRESS: FailureWords(
        "Mailchimp thinks the e-mail address is not real",
        "The address is well formed, but Mailchimp refuses addresses that look made up or whose domain takes"
        " no mail.",
        (
            "Open the contact and check the address with the client.",
            "Correct it and save. Lockstep retries that contact by itself.",
            "If it is right, ask the contact to use your Mailchimp sign-up form once.",
        ),
        retry_helps=True,
    ),
    RefusalKind.INVALID_ADDRESS: FailureWords(
        "The e-mail address is invalid",
        "Mailchimp reads this address as one that cannot exist, for example because a part of it is missing.",
        (
            "Open the contact and check the address with the client.",
            "Correct it and save. Lockstep retries that contact by itself.",
        ),
        retry_helps=True,
    ),
    RefusalKind.FORGOTTEN: FailureWords(
        "Permanently deleted in Mailchimp",
        "Someone deleted this contact for good in Mailchimp. Mailchimp then blocks every import of that"
        " address, including ours.",
        (
            "The contact has to sign up again with your Mailchimp sign-up form.",
            "After that, choose Retry archived/deleted and the contact joins the sync again.",
        ),
        retry_helps=False,
    ),
    RefusalKind.COMPLIANCE: FailureWords(
        "In a compliance state: cannot be subscribed",
        "This person unsubscribed, bounced or reported spam on one of your audiences before."
        " Mailchimp will not take the address back, even by hand.",
        (
            "Flag the contact as No Marketing so that nobody tries again.",
            "If they do want your mail, they must sign up themselves with your sign-up form.",
        ),
        retry_helps=False,
    ),
    RefusalKind.REQUIRED_FIELD: FailureWords(
        "An audience field is marked as required",
        "The audience asks for a value that Lockstep does not send, because the field is not one of ours.",
        (
            "In Mailchimp open Audience fields and *|MERGE|* tags, and clear that field’s “Required” tick.",
            "Or choose Make them optional on the Configure page.",
            "Then choose Retry failed/pending.",
        ),
        retry_helps=True,
    ),
    RefusalKind.MERGE_FIELDS: FailureWords(
        "Mailchimp refused the audience fields",
        "Either an audience field is marked as required, or the address Mailchimp has of this contact is only"
        " half filled in.",
        (
            "In Mailchimp open Audience fields and *|MERGE|* tags and clear every “Required” tick.",
            "Or complete (or empty) the contact’s address in Mailchimp.",
            "Then choose Retry failed/pending.",
        ),
        retry_helps=True,
    ),
    RefusalKind.TOO_MANY_SIGNUPS: FailureWords(
        "Too many recent sign-ups",
        "Mailchimp saw this address sign up for many audiences in a short time and takes no more for now.",
        ("Wait a day.", "Then choose Retry failed/pending."),
        retry_helps=True,
    ),
    RefusalKind.NOT_REMOVABLE: FailureWords(
        "Mailchimp does not let this member be changed",
        "The member is in a state in which Mailchimp refuses the change that was asked for.",
        ("Look at the contact in Mailchimp.", "Then choose Retry failed/pending."),
        retry_helps=True,
    ),
    RefusalKind.OVER_PLAN: FailureWords(
        "Your Mailchimp plan is full",
        "The account holds as many contacts as its plan allows, so Mailchimp takes no new ones.",
        (
            "Archive contacts in Mailchimp that you no longer write to, or choose a larger plan.",
            "Then choose Retry failed/pending.",
        ),
        retry_helps=True,
    ),
    RefusalKind.OTHER: FailureWords(
        "Mailchimp refused this contact",
        "Lockstep has no explanation for this answer. Mailchimp’s own words are below.",
        ("Search Mailchimp’s help for these words.", "Then choose Retry failed/pending."),
        retry_helps=True,
    ),
}

BROKEN: dict[BrokenKind, BrokenWords] = {
    BrokenKind.KEY_REVOKED: BrokenWords(
        "Mailchimp no longer accepts our login",
        "Someone removed Lockstep in Mailchimp or the key was revoked. Changes are kept and go out once you"
        " connect again.",
    ),
    BrokenKind.USER_DISABLED: BrokenWords(
        "The Mailchimp user was disabled",
        "Enable the user in Mailchimp, or connect with another one. Changes are kept until then.",
    ),
    BrokenKind.ROLE_TOO_LOW: BrokenWords(
        "The Mailchimp user may no longer write contacts",
        "Give the user at least the role Manager in Mailchimp, or connect with another one. Changes are kept"
        " until then.",
    ),
    BrokenKind.AUDIENCE_GONE: BrokenWords(
        "The audience is gone",
        "It was deleted in Mailchimp. Choose another audience and start the sync again.",
    ),
    BrokenKind.WRONG_DATACENTER: BrokenWords(
        "The Mailchimp account has moved", "Connect again, so that Lockstep finds where it lives now."
    ),
    BrokenKind.OVER_PLAN: BrokenWords(
        "Your Mailchimp plan is full",
        "Archive contacts in Mailchimp that you no longer write to, or choose a larger plan."
        " Then start the sync again.",
    ),
    BrokenKind.FIELDS_LIMIT: BrokenWords(
        "The audience has no room for our fields",
        "Delete audience fields that you no longer use in Mailchimp. Then start the sync again.",
    ),
}
