"""Account root and ping (contract, 1.4)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.clock import iso
from lockstep.sandbox.shapes import instance

routes = Routes("Root")


@routes.get("/ping")
def ping(call: Call) -> dict[str, Any]:
    return {"health_status": "Everything's Chimpy!"}


@routes.get("/")
def account_root(call: Call) -> dict[str, Any]:
    account, user = call.account, call.credential.user
    contact = account.contact
    document = {
        "account_id": account.id,
        "login_id": str(user.id),
        "account_name": account.name,
        "email": user.email,
        "first_name": "Practice",
        "last_name": "Owner",
        "username": user.username,
        "avatar_url": "",
        "role": user.role,
        "member_since": iso(account.created),
        "pricing_plan_type": "monthly",
        "first_payment": iso(account.created),
        "account_timezone": "UTC",
        "account_industry": "",
        "contact": {
            "company": contact["company"],
            "addr1": contact["address1"],
            "addr2": contact["address2"],
            "city": contact["city"],
            "state": contact["state"],
            "zip": contact["zip"],
            "country": contact["country"],
        },
        "pro_enabled": False,
        "last_login": iso(call.sandbox.clock.second()),
        "total_subscribers": sum(len(a.shelves["subscribed"]) for a in account.audiences.values()),
        "industry_stats": {"open_rate": 0.0, "bounce_rate": 0.0, "click_rate": 0.0},
        "_links": [{"rel": "self", "href": f"{call.base}/", "method": "GET"}],
    }
    return instance(call, document)
