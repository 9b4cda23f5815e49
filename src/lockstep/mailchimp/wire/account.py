"""The account behind a key or token (contract 1)."""

from __future__ import annotations

from lockstep.mailchimp.wire.base import Reply


class AccountRoot(Reply, frozen=True, kw_only=True):
    """`GET /` (contract 1.4)."""

    account_id: str
    login_id: str = ""
    account_name: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    role: str = ""
    member_since: str = ""
    pricing_plan_type: str = ""
    account_timezone: str = ""
    account_industry: str = ""
    pro_enabled: bool = False
    last_login: str = ""
    total_subscribers: int = 0


class Ping(Reply, frozen=True, kw_only=True):
    health_status: str = ""


class OAuthLogin(Reply, frozen=True, kw_only=True):
    email: str = ""
    login_id: int = 0
    login_name: str = ""
    login_email: str = ""


class OAuthMetadata(Reply, frozen=True, kw_only=True):
    """`GET /oauth2/metadata` (contract 1.2); only `dc` is sure to be there."""

    dc: str
    role: str = ""
    accountname: str = ""
    user_id: int = 0
    login: OAuthLogin = OAuthLogin()
    login_url: str = ""
    api_endpoint: str = ""


class OAuthToken(Reply, frozen=True, kw_only=True):
    access_token: str
    expires_in: int | None = None
    scope: str | None = None
