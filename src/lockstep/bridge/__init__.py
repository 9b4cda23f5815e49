"""The core's ports, implemented with the Mailchimp client; and what set-up pages and webhooks need of it.

Knows nothing of Django. Start at `open_api` and `MailchimpAudience`.
"""

from lockstep.bridge.access import AccountAccess, AuthKind, Gates, Purpose, api_base, data_center_of, open_api
from lockstep.bridge.account import (
    AccountFacts,
    AudienceFacts,
    audience_facts,
    check_credentials,
    list_audiences,
)
from lockstep.bridge.audience import MailchimpAudience
from lockstep.bridge.audience_fields import (
    FieldsReport,
    RequiredField,
    ensure_fields,
    inspect_fields,
    make_optional,
    required_fields,
)
from lockstep.bridge.events import Hint, OptOut, read_hint
from lockstep.bridge.failures import SetupRefused
from lockstep.bridge.segments import SegmentFacts, TextRule, create_segment
from lockstep.bridge.webhooks import (
    WebhookSetUp,
    WebhookState,
    delete_webhook,
    register_webhook,
    verify_webhook,
)

__all__ = [
    "AccountAccess",
    "AccountFacts",
    "AudienceFacts",
    "AuthKind",
    "FieldsReport",
    "Gates",
    "Hint",
    "MailchimpAudience",
    "OptOut",
    "Purpose",
    "RequiredField",
    "SegmentFacts",
    "SetupRefused",
    "TextRule",
    "WebhookSetUp",
    "WebhookState",
    "api_base",
    "audience_facts",
    "check_credentials",
    "create_segment",
    "data_center_of",
    "delete_webhook",
    "ensure_fields",
    "inspect_fields",
    "list_audiences",
    "make_optional",
    "open_api",
    "read_hint",
    "register_webhook",
    "required_fields",
    "verify_webhook",
]
