from django.urls import path

from lockstep.web.mailchimp import configuring, connecting, dry_run

app_name = "mailchimp"

urlpatterns = [
    path("", connecting.index, name="index"),
    path("connect", connecting.connect, name="connect"),
    path("connect/return", connecting.oauth_return, name="oauth_return"),
    path("connect/key", connecting.connect_key, name="connect_key"),
    path("accounts/<int:account_id>/audiences", connecting.audience_choice, name="audience_choice"),
    path("accounts/<int:account_id>/select", connecting.select, name="select"),
    path("accounts/<int:account_id>/check", connecting.check, name="check"),
    path("accounts/<int:account_id>/disconnect", connecting.leave, name="disconnect"),
    path("<int:connection_id>/automatic", connecting.automatic_work, name="automatic_work"),
    path("<int:connection_id>/configure", configuring.configure, name="configure"),
    path("<int:connection_id>/count", configuring.count, name="count"),
    path("<int:connection_id>/checks", configuring.checks, name="checks"),
    path("<int:connection_id>/optional", configuring.optional, name="optional"),
    path("<int:connection_id>/duplicates", configuring.duplicate_choices, name="duplicates"),
    path("<int:connection_id>/left-out/<str:reason>", configuring.left_out, name="left_out"),
    path("<int:connection_id>/start", configuring.start, name="start"),
    path("<int:connection_id>/dry-run", dry_run.dry_run, name="dry_run"),
    path("<int:connection_id>/dry-run.csv", dry_run.dry_run_csv, name="dry_run_csv"),
]
