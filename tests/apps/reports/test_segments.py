"""What of a report Mailchimp's segments can say: pure, no database, no Mailchimp."""

import pytest

from lockstep.apps.reports.filters import ReportFilter
from lockstep.apps.reports.segments import plan_segment
from lockstep.bridge.segments import TextRule

NAMES = {
    "status": {"1": "Active", "2": "Prospect"},
    "industry": {"3": "Retail"},
    "department": {"4": "Marketing"},
    "client_tag": {"5": "Gold"},
    "tag": {"6": "VIP", "7": "Golf"},
    "rep": {"8": "Ana|Lima", "9": "Bo|"},
}
ACTIVE = TextRule("sync_status", "is", "Active")


@pytest.mark.parametrize(
    ("wanted", "rules", "match"),
    [
        ({"status_ids": [1]}, [TextRule("client_status", "is", "Active"), ACTIVE], "all"),
        ({"status_ids": [0]}, [TextRule("client_status", "blank"), ACTIVE], "all"),
        (
            {"contact_tag_ids": [6], "client_tag_ids_none": [5]},
            [
                TextRule("contact_tags", "contains", "VIP"),
                TextRule("client_tags", "notcontain", "Gold"),
                ACTIVE,
            ],
            "all",
        ),
        (
            {"contact_tag_ids": [6, 7]},
            [TextRule("contact_tags", "contains", "VIP"), TextRule("contact_tags", "contains", "Golf")],
            "any",
        ),
        (
            {"contact_tag_ids_all": [6, 7], "states": ["Ohio"]},
            [
                TextRule("state", "is", "Ohio"),
                TextRule("contact_tags", "contains", "VIP"),
                TextRule("contact_tags", "contains", "Golf"),
                ACTIVE,
            ],
            "all",
        ),
        (
            {"rep_ids": [9]},
            [TextRule("rep_first_name", "is", "Bo"), TextRule("rep_last_name", "blank"), ACTIVE],
            "all",
        ),
        ({"active": True, "no_marketing": False, "emails": ["valid"]}, [ACTIVE], "all"),
    ],
)
def test_what_can_be_said(wanted, rules, match):
    plan = plan_segment(ReportFilter(**wanted), NAMES)
    assert (list(plan.rules), plan.match, plan.cannot, plan.possible) == (rules, match, (), True)


@pytest.mark.parametrize(
    "wanted",
    [
        {"status_ids": [1, 2], "contact_tag_ids": [6]},
        {"status_ids": [1, 2], "contact_tag_ids": [6, 7]},
        {"rep_ids": [8, 9]},
        {"search": "dana"},
        {"set": "campaign:1"},
        {"active": False},
        {"no_marketing": True},
        {"emails": ["none"]},
        {"standings": ["no_email"]},
        {"status_ids": [1], "industry_ids": [3], "department_ids": [4], "rep_ids": [8], "states": ["Ohio"]},
        {"states": [f"State {n}" for n in range(6)]},
    ],
)
def test_what_can_t_be_said_is_not_made_and_says_why(wanted):
    plan = plan_segment(ReportFilter(**wanted), NAMES)
    assert not plan.possible
    assert plan.cannot
    assert all(why.endswith(".") for why in plan.cannot)


def test_five_conditions_leave_no_room_for_the_sync_status_and_six_are_too_many():
    five = {"status_ids": [1], "industry_ids": [3], "department_ids": [4], "states": ["Ohio"]}
    plan = plan_segment(ReportFilter(**five, countries=["USA"]), NAMES)
    assert plan.possible
    assert ACTIVE not in plan.rules
    assert len(plan.rules) == 5
