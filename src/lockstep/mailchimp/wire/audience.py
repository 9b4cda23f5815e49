"""Audiences, which the wire calls lists, and their merge fields (contract 2, 3)."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lockstep.mailchimp.wire.base import Reply, Request


class ListContact(Reply, frozen=True, kw_only=True):
    company: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    phone: str = ""


class CampaignDefaults(Reply, frozen=True, kw_only=True):
    from_name: str = ""
    from_email: str = ""
    subject: str = ""
    language: str = ""


class ListStats(Reply, frozen=True, kw_only=True):
    """Cached by Mailchimp for five minutes or more (contract 2); never verify a sync with these."""

    member_count: int = 0
    total_contacts: int | None = None
    unsubscribe_count: int = 0
    cleaned_count: int = 0
    member_count_since_send: int = 0
    unsubscribe_count_since_send: int = 0
    cleaned_count_since_send: int = 0
    campaign_count: int = 0
    campaign_last_sent: str = ""
    merge_field_count: int = 0
    avg_sub_rate: float = 0
    avg_unsub_rate: float = 0
    target_sub_rate: float = 0
    open_rate: float = 0
    click_rate: float = 0
    last_sub_date: str = ""
    last_unsub_date: str = ""


class List(Reply, frozen=True, kw_only=True):
    """An audience (contract 2)."""

    id: str
    web_id: int = 0
    name: str = ""
    contact: ListContact = ListContact()
    permission_reminder: str = ""
    campaign_defaults: CampaignDefaults = CampaignDefaults()
    date_created: str = ""
    list_rating: float = 0
    email_type_option: bool = False
    subscribe_url_short: str = ""
    subscribe_url_long: str = ""
    visibility: str = ""
    double_optin: bool = False
    has_welcome: bool = False
    marketing_permissions: bool = False
    modules: list[str] = []
    stats: ListStats = ListStats()


class ListPage(Reply, frozen=True, kw_only=True):
    lists: list[List]
    total_items: int = 0


class ListPatch(Request, frozen=True, kw_only=True):
    """What may be changed of an audience; only the switches we have a use for."""

    name: str | UnsetType = UNSET
    permission_reminder: str | UnsetType = UNSET
    email_type_option: bool | UnsetType = UNSET
    double_optin: bool | UnsetType = UNSET
    marketing_permissions: bool | UnsetType = UNSET


class MergeFieldOptions(Reply, frozen=True, kw_only=True):
    size: int | None = None
    default_country: int | None = None
    phone_format: str = ""
    date_format: str = ""
    choices: list[str] = []


class MergeField(Reply, frozen=True, kw_only=True):
    """A field of an audience (contract 3); EMAIL is not among them.

    `merge_field_limit` comes, if at all, with the answer to a creation.
    """

    merge_id: int
    tag: str
    name: str = ""
    type: str = ""
    required: bool = False
    default_value: str | int | float = ""
    public: bool = False
    display_order: int = 0
    options: MergeFieldOptions = MergeFieldOptions()
    help_text: str = ""
    list_id: str = ""
    merge_field_limit: int | None = None


class MergeFieldPage(Reply, frozen=True, kw_only=True):
    merge_fields: list[MergeField]
    list_id: str = ""
    total_items: int = 0


class NewMergeField(Request, frozen=True, kw_only=True, omit_defaults=False):
    """Always with a type, and with a tag: what Mailchimp picks without one is not known (contract 3.3)."""

    tag: str
    name: str
    type: str = "text"
    required: bool | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    default_value: str | UnsetType = UNSET
    display_order: int | UnsetType = UNSET
    help_text: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not self.tag or not self.name:
            raise ValueError("a merge field needs a tag and a name")


class MergeFieldPatch(Request, frozen=True, kw_only=True):
    """`name` is required by the published description; the type can never change; options are left alone,
    because arrays in them were refused (contract 3.3)."""

    name: str
    tag: str | UnsetType = UNSET
    required: bool | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    default_value: str | UnsetType = UNSET
    display_order: int | UnsetType = UNSET
    help_text: str | UnsetType = UNSET
