from django.apps import AppConfig


class BookConfig(AppConfig):
    name = "lockstep.apps.book"
    label = "book"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from lockstep.apps.accounts.signals import company_created, settings_changed
        from lockstep.apps.book.services import history
        from lockstep.apps.book.services.list_values import add_starting_values

        def add_lists(company, **_kwargs) -> None:  # type: ignore[no-untyped-def]  -- Django's receiver
            add_starting_values(company)

        def keep(signal, sender, **told) -> None:  # type: ignore[no-untyped-def]  -- Django's receiver
            history.record(**told)

        settings_changed.connect(keep, weak=False, dispatch_uid="book.history")
        company_created.connect(add_lists, weak=False, dispatch_uid="book.add_starting_values")
