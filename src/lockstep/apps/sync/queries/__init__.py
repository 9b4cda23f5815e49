"""Nouns of the sync: what pages, commands and the API show. Every query is scoped by its arguments."""

from lockstep.apps.sync.queries.clients import client_figures
from lockstep.apps.sync.queries.contacts import ContactSync, FieldRow, contact_sync, marks_of
from lockstep.apps.sync.queries.counts import ReasonCounts, reason_counts, state_counts
from lockstep.apps.sync.queries.duplicates import DuplicateGroup, duplicates
from lockstep.apps.sync.queries.failures import FailureGroup, failures
from lockstep.apps.sync.queries.left_out import LeftOutPage, LeftOutRow, left_out_page
from lockstep.apps.sync.queries.member_tags import has_written_tags
from lockstep.apps.sync.queries.members import MemberRow, every_member, members, records_in
from lockstep.apps.sync.queries.plans import every_plan_row, plan_counts, plan_rows
from lockstep.apps.sync.queries.progress import Pulse, RunProgress, pulse, run_progress, runs
from lockstep.apps.sync.queries.run_rows import every_run_row, run_counts, run_rows
from lockstep.apps.sync.queries.standings import Standing, connection_of, standings, visible_connections

__all__ = [
    "ContactSync",
    "DuplicateGroup",
    "FailureGroup",
    "FieldRow",
    "LeftOutPage",
    "LeftOutRow",
    "MemberRow",
    "Pulse",
    "ReasonCounts",
    "RunProgress",
    "Standing",
    "client_figures",
    "connection_of",
    "contact_sync",
    "duplicates",
    "every_member",
    "every_plan_row",
    "every_run_row",
    "failures",
    "has_written_tags",
    "left_out_page",
    "marks_of",
    "members",
    "plan_counts",
    "plan_rows",
    "pulse",
    "reason_counts",
    "records_in",
    "run_counts",
    "run_progress",
    "run_rows",
    "runs",
    "standings",
    "state_counts",
    "visible_connections",
]
