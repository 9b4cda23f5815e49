"""Refusals in Mailchimp's words: problem documents with the texts of contract 1.3, 3.2, 4.5, 5 and 7.

Raise a `Problem` anywhere below a route; the API turns it into the answer. Texts that the contract calls
"not established" are marked INFERRED here and listed in docs/explanation/mailchimp-quirks.md.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["FieldError", "Problem"]

TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
NOT_VALIDATED = (
    "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
)
MERGE_FIELDS_INVALID = "Your merge fields were invalid."
COMPLIANCE = (
    "{address} is in a compliance state due to unsubscribe, bounce, or compliance review "
    "and cannot be subscribed."
)
FORGOTTEN = (
    "{address} was permanently deleted and cannot be re-imported. "
    "The contact must re-subscribe to get back on the list."
)
EXISTS = "{address} is already a list member. Use PUT to insert or update list members."
BATCH_EXISTS = (
    "{address} is already a list member, do you want to update? "
    "please provide update_existing:true in the request body"
)
INVALID_ADDRESS = "Please provide a valid email address."
FAKE_ADDRESS = "{address} looks fake or invalid, please enter a real email address."
TOO_MANY_SIGNUPS = (
    "{address} has signed up to a lot of lists very recently; we're not allowing more signups for now"
)

#: (field, message) of the `errors` array.
FieldError = tuple[str, str]


class Problem(Exception):
    """An answer that is not a success; `errors` become the `errors` array.

    `has_type` is False for the refusals that were seen without `type` (contract, 4.5).
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        has_type: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.has_type = has_type
        self.headers = headers or {}

    def document(self, instance: str) -> dict[str, object]:
        """The body; `instance` is the id of the request (contract, 4.2)."""
        body: dict[str, object] = {"type": TYPE} if self.has_type else {}
        body |= {"title": self.title, "status": self.status, "detail": self.detail, "instance": instance}
        if self.errors:
            body["errors"] = [{"field": field, "message": message} for field, message in self.errors]
        return body


# --- who asks (contract, 1.3) ---


def api_key_missing() -> Problem:
    return Problem(401, "API Key Missing", "Your request did not include an API key.")


def api_key_invalid() -> Problem:
    return Problem(
        401,
        "API Key Invalid",
        "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
    )


def wrong_data_centre(data_centre: str) -> Problem:
    return Problem(403, "Forbidden", f"The API key provided is linked to datacenter '{data_centre}'")


def user_disabled() -> Problem:
    return Problem(403, "User Disabled", "This account has been deactivated.")


def action_not_permitted() -> Problem:
    return Problem(403, "User action not permitted", "User does not have access to the requested operation")


# --- what is asked for (contract, 7) ---


def not_found() -> Problem:
    return Problem(404, "Resource Not Found", "The requested resource could not be found.")


def method_not_allowed(allowed: Iterable[str]) -> Problem:
    return Problem(
        405,
        "Method Not Allowed",
        "The requested method and resource are not compatible. "
        "See the Allow header for this resource's available methods.",
        headers={"Allow": ", ".join(allowed)},
    )


def nesting_too_deep() -> Problem:
    # INFERRED wording: the glossary copy gives only the meaning.
    return Problem(414, "Resource Nesting Too Deep", "The sub-resource requested is nested too deeply.")


def invalid_method_override() -> Problem:
    return Problem(
        422,
        "Invalid Method Override",
        "You can only use the X-HTTP-Method-Override header with the POST method.",
    )


def requested_fields_invalid() -> Problem:
    return Problem(422, "Requested Fields Invalid", "The fields requested from this resource are invalid.")


def too_many_requests() -> Problem:
    return Problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.")


def internal_error() -> Problem:
    return Problem(
        500,
        "Internal Server Error",
        "A deep, internal error has occurred during the processing of your request. Please contact support",
    )


def method_disabled() -> Problem:
    return Problem(503, "Compliance Related", "This method has been disabled.")


# --- what was sent (contract, 3.2 and 4.5) ---


def invalid_resource(*errors: FieldError, detail: str = NOT_VALIDATED) -> Problem:
    return Problem(400, "Invalid Resource", detail, errors=errors)


def not_json() -> Problem:
    """The body is not JSON or not UTF-8 (contract, 4.5; trap 42)."""
    return invalid_resource(("", "Schema describes object, NULL found instead"))


def required(*names: str, field: str = "") -> Problem:
    return invalid_resource((field, f"Required fields were not provided: {', '.join(names)}"))


def merge_fields_invalid(errors: Iterable[FieldError]) -> Problem:
    return invalid_resource(*errors, detail=MERGE_FIELDS_INVALID)


def invalid_address() -> Problem:
    return Problem(400, "Invalid Resource", INVALID_ADDRESS)


def fake_address(address: str) -> Problem:
    return Problem(400, "Invalid Resource", FAKE_ADDRESS.format(address=address))


def too_many_signups(address: str) -> Problem:
    return Problem(400, "Invalid Resource", TOO_MANY_SIGNUPS.format(address=address))


def member_exists(address: str) -> Problem:
    return Problem(400, "Member Exists", EXISTS.format(address=address), has_type=False)


def compliance_state(address: str) -> Problem:
    return Problem(400, "Member In Compliance State", COMPLIANCE.format(address=address), has_type=False)


def forgotten(address: str) -> Problem:
    return Problem(400, "Forgotten Email Not Subscribed", FORGOTTEN.format(address=address), has_type=False)


def rename_refused(status: str) -> Problem:
    """Only subscribed contacts can change their address (contract, 4.6)."""
    return invalid_resource(
        (
            "email address",
            f'This member\'s status is "{status}." You can only update email addresses for members '
            'with a status of "subscribed."',
        )
    )


def rename_target_taken(address: str, status_word: str) -> Problem:
    return invalid_resource(
        ("email address", f'"{address}" is already in this list with a status of "{status_word}"')
    )


def cannot_archive() -> Problem:
    return Problem(
        405,
        "Method Not Allowed",
        "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived",
        headers={"Allow": "GET, PUT"},
    )


def patch_of_archived() -> Problem:
    # INFERRED wording: sources only say that PATCH is refused for archived contacts (contract, 4.4).
    return invalid_resource(
        ("", "This contact is archived. Use PUT with a status to bring it back to the list.")
    )


def plan_limit() -> Problem:
    # INFERRED: the text is not established (contract, 7 and 13.3).
    return Problem(
        400, "Bad Request", "Your account has reached the contact limit of its plan. Upgrade to add contacts."
    )


def tag_exists(merge_tag: str) -> Problem:
    return Problem(
        400, "Bad Request", f'A Merge Field with the tag "{merge_tag}" already exists for this list.'
    )


def too_many_merge_fields(limit: int) -> Problem:
    # INFERRED: the limit is documented (contract, 3.3), its error text is not.
    return Problem(400, "Bad Request", f"Your list has reached its limit of {limit} merge fields.")


def tag_name_taken() -> Problem:
    # INFERRED: not in the contract; clients handle this text.
    return Problem(400, "Bad Request", "Sorry, that tag already exists.")


def no_such_static_segment(segment_id: int) -> Problem:
    """Also said of a segment that exists but is made of conditions (MailChimp.Net issue 377)."""
    return Problem(
        404,
        "Resource Not Found",
        f"A Static Segment with an id of {segment_id} does not exist for this list.",
    )


def webhook_unreachable(status: int) -> Problem:
    """The validating GET was not answered with 200 (contract, 8; text from codegen issue 11)."""
    return invalid_resource(
        (
            "url",
            f"We couldn't verify the URL is working. Please double check and try again. HTTP Code: {status}",
        )
    )


def too_many_batches(limit: int) -> Problem:
    # INFERRED: the limit is documented (contract, 6), its text is not.
    return Problem(429, "Too Many Requests", f"You have more than {limit} pending batch requests.")


def too_many_batch_webhooks(limit: int) -> Problem:
    # INFERRED: the limit is documented (contract, 6), its text is not.
    return Problem(400, "Bad Request", f"You have reached the limit of {limit} batch webhooks.")
