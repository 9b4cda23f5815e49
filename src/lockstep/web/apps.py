from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "lockstep.web"
    label = "web"

    def ready(self) -> None:
        from lockstep.web.account.hearing import begin

        begin()
