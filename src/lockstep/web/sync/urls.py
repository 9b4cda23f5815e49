from django.urls import path

from lockstep.web.sync import history, window, work

app_name = "sync"

urlpatterns = [
    path("", window.index, name="index"),
    path("<int:connection_id>", window.window, name="window"),
    path("<int:connection_id>/members.csv", window.members_csv, name="members_csv"),
    path("<int:connection_id>/refresh", work.do_refresh, name="refresh"),
    path("<int:connection_id>/retry", work.do_retry, name="retry"),
    path("<int:connection_id>/stop", work.do_stop, name="stop"),
    path("<int:connection_id>/start", work.do_start, name="start"),
    path("<int:connection_id>/no-marketing", work.flag_no_marketing, name="no_marketing"),
    path("<int:connection_id>/confirm/<int:run_id>", work.confirm, name="confirm"),
    path("<int:connection_id>/dismiss", work.dismiss, name="dismiss"),
    path("<int:connection_id>/history", history.history, name="history"),
    path("<int:connection_id>/history/<int:run_id>", history.one_run, name="run"),
    path("<int:connection_id>/history/<int:run_id>/run.csv", history.run_csv, name="run_csv"),
    path("<int:connection_id>/history/<int:run_id>/plan.csv", history.plan_csv, name="plan_csv"),
    path("<int:connection_id>/history/<int:run_id>/undo", work.undo, name="undo"),
    path("<int:connection_id>/history/<int:run_id>/end", work.end_run, name="end_run"),
]
