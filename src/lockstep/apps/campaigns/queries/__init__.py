"""What pages, files and the API show of campaigns. Every query takes an actor and stays in its company."""

from lockstep.apps.campaigns.queries.campaigns import (
    Bucket,
    CampaignFilter,
    CampaignList,
    CampaignRow,
    LinkRow,
    activity_over_time,
    campaign_list,
    campaign_row,
    campaigns_of,
    last_read,
    links_of,
)
from lockstep.apps.campaigns.queries.departures import Departure, campaigns_by_mailchimp_id, departures
from lockstep.apps.campaigns.queries.figures import Figures
from lockstep.apps.campaigns.queries.groups import (
    CLIENT_SORTS,
    ClientList,
    GroupRow,
    by_client,
    by_rep,
    by_tag,
)
from lockstep.apps.campaigns.queries.people import (
    ActivityLine,
    ClientActivity,
    ContactActivity,
    MailedCampaign,
    activity_stamp,
    client_activity,
    contact_activity,
)
from lockstep.apps.campaigns.queries.reactions import (
    QUIET_CAMPAIGNS,
    REACTIONS,
    Reaction,
    contacts_who,
    quiet_contacts,
)

__all__ = [
    "CLIENT_SORTS",
    "QUIET_CAMPAIGNS",
    "REACTIONS",
    "ActivityLine",
    "Bucket",
    "CampaignFilter",
    "CampaignList",
    "CampaignRow",
    "ClientActivity",
    "ClientList",
    "ContactActivity",
    "Departure",
    "Figures",
    "GroupRow",
    "LinkRow",
    "MailedCampaign",
    "Reaction",
    "activity_over_time",
    "activity_stamp",
    "by_client",
    "by_rep",
    "by_tag",
    "campaign_list",
    "campaign_row",
    "campaigns_by_mailchimp_id",
    "campaigns_of",
    "client_activity",
    "contact_activity",
    "contacts_who",
    "departures",
    "last_read",
    "links_of",
    "quiet_contacts",
]
