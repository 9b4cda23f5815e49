from django.urls import path

from lockstep.web.report import listing, saved, segment

app_name = "report"

urlpatterns = [
    path("report", listing.index, name="index"),
    path("report.csv", listing.as_csv, name="csv"),
    path("report.xlsx", listing.as_xlsx, name="xlsx"),
    path("report/segment", segment.segment, name="segment"),
    path("views", saved.save, name="save_view"),
    path("views/<int:view_id>", saved.open_view, name="view"),
    path("views/<int:view_id>/rename", saved.rename, name="rename_view"),
    path("views/<int:view_id>/share", saved.share, name="share_view"),
    path("views/<int:view_id>/delete", saved.delete, name="delete_view"),
]
