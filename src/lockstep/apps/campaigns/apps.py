from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "lockstep.apps.campaigns"
    label = "campaigns"

    def ready(self) -> None:
        """Tell the Mailing List report what it can be narrowed to, and the sync what campaigns are called."""
        from lockstep.apps.campaigns.queries.departures import campaign_names
        from lockstep.apps.campaigns.report_sets import register_sets
        from lockstep.apps.sync.opting_out import name_campaigns_with

        register_sets()
        name_campaigns_with(campaign_names)
