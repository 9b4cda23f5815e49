from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "lockstep.apps.integrations"
    label = "integrations"
