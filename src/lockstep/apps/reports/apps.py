from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "lockstep.apps.reports"
    label = "reports"
    default_auto_field = "django.db.models.BigAutoField"
