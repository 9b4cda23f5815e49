"""What the set-up pages ask about an account and its audiences (C1, C2). Reads only.

Open the API with `Purpose.PAGE`: a person waits. Every function raises
`ConnectionBroken`, `AudienceUnavailable`, or `failures.SetupRefused`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.bridge.failures import translated
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.wire import List

MAY_WRITE = frozenset({"owner", "admin", "manager"})
"""Roles whose users may change contacts. A smaller one passes every read and fails on the first
write (contract trap 45)."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The account behind a credential, and what its user may do there (contract 1.4)."""

    account_id: str
    account_name: str
    login_email: str
    role: str
    """In Mailchimp's word; '' where it did not say."""
    plan: str
    """`pricing_plan_type`: monthly, pay_as_you_go, forever_free."""
    total_subscribers: int

    @property
    def may_write(self) -> bool:
        """False only for a role that is known to be too small; an unnamed one is found out by trying."""
        return not self.role or self.role.lower() in MAY_WRITE


@dataclass(frozen=True, slots=True)
class AudienceFacts:
    """One audience, as far as choosing it and the pre-flight need it (C2, contract 2).

    The numbers are Mailchimp's statistics: cached for minutes, and never proof of anything (trap 47).
    """

    list_id: str
    web_id: int
    name: str
    signup_url: str
    """The hosted form: the only way back for somebody deleted for good (contract 4.5)."""
    date_created: str
    double_opt_in: bool
    """Asked of people who use the form. The API does not apply it: `subscribed` subscribes at once."""
    marketing_permissions: bool
    """GDPR fields are on: contacts that we add have given none of these permissions (contract 4.7)."""
    sends_welcome: bool
    subscribed: int
    unsubscribed: int
    cleaned: int
    total_contacts: int | None
    """Approximate; includes archived and non-subscribed ones. None where it was not asked for."""
    fields: int
    """Audience fields, without EMAIL."""


async def check_credentials(api: MailchimpAPI) -> AccountFacts:
    """Who the credential belongs to. `ConnectionBroken` when Mailchimp does not accept it."""
    with translated():
        root = await api.root()
    return AccountFacts(
        account_id=root.account_id,
        account_name=root.account_name,
        login_email=root.email,
        role=root.role,
        plan=root.pricing_plan_type,
        total_subscribers=root.total_subscribers,
    )


async def list_audiences(api: MailchimpAPI) -> tuple[AudienceFacts, ...]:
    """All audiences of the account, in Mailchimp's order; without `total_contacts`."""
    with translated():
        return tuple(_facts(found) for found in await api.lists())


async def audience_facts(api: MailchimpAPI, list_id: str) -> AudienceFacts:
    """One audience, with `total_contacts`. `ConnectionBroken(AUDIENCE_GONE)` where there is none."""
    with translated():
        return _facts(await api.get_list(list_id, include_total_contacts=True))


def _facts(found: List) -> AudienceFacts:
    return AudienceFacts(
        list_id=found.id,
        web_id=found.web_id,
        name=found.name,
        signup_url=found.subscribe_url_short or found.subscribe_url_long,
        date_created=found.date_created,
        double_opt_in=found.double_optin,
        marketing_permissions=found.marketing_permissions,
        sends_welcome=found.has_welcome,
        subscribed=found.stats.member_count,
        unsubscribed=found.stats.unsubscribe_count,
        cleaned=found.stats.cleaned_count,
        total_contacts=found.stats.total_contacts,
        fields=found.stats.merge_field_count,
    )
