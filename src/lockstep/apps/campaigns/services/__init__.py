"""What people do about campaigns: look at one, have them read now, say how long they are kept, choose the
digest."""

from lockstep.apps.campaigns.services.settings import (
    campaign_settings,
    choose_digest,
    save_settings,
    wants_digest,
)
from lockstep.apps.campaigns.services.wishes import look_at, refresh_campaigns

__all__ = [
    "campaign_settings",
    "choose_digest",
    "look_at",
    "refresh_campaigns",
    "save_settings",
    "wants_digest",
]
