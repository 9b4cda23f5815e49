from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "lockstep.apps.campaigns"
    label = "campaigns"
