from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "lockstep.apps.campaigns"
    label = "campaigns"

    def ready(self) -> None:
        """The Mailing List report learns what it can be narrowed to here."""
        from lockstep.apps.campaigns.report_sets import register_sets

        register_sets()
