"""Verbs of the Mailing List report: keep a view, write it into a file, make it a segment in Mailchimp."""

from lockstep.apps.reports.services.files import report_csv, report_xlsx
from lockstep.apps.reports.services.segments import MadeSegment, make_segment
from lockstep.apps.reports.services.views import delete_view, kept, rename_view, save_view, share_view

__all__ = [
    "MadeSegment",
    "delete_view",
    "kept",
    "make_segment",
    "rename_view",
    "report_csv",
    "report_xlsx",
    "save_view",
    "share_view",
]
