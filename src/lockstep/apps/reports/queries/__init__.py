"""Nouns of the Mailing List report: scoped to what the actor may see."""

from lockstep.apps.reports.queries.choices import Offer, offers
from lockstep.apps.reports.queries.report import REPORT_SORTS, Report, open_report
from lockstep.apps.reports.queries.views import find_view, views_of

__all__ = ["REPORT_SORTS", "Offer", "Report", "find_view", "offers", "open_report", "views_of"]
