"""OAuth 2, authorization code: apps, codes and tokens (contract, 1.2). No HTTP here."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from .account import Account, Credential, User
from .ids import Ids

__all__ = ["OAuthApp", "OAuthBook", "OAuthError"]

_CODE_LIFE = 30


class OAuthError(Exception):
    """Refused; `code` and `description` are the two keys of RFC 6749, section 5.2.

    Mailchimp's own bodies for these refusals are not recorded (contract, 13.4).
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(slots=True)
class OAuthApp:
    """A registered application. No `redirect_uris` means any is taken, which is handy for practice."""

    client_id: str
    client_secret: str
    name: str
    redirect_uris: tuple[str, ...] = ()

    def takes(self, redirect_uri: str) -> bool:
        """Is this a place to send the browser back to?"""
        if not redirect_uri.startswith(("http://", "https://")):
            return False
        return not self.redirect_uris or redirect_uri in self.redirect_uris


@dataclass(slots=True)
class _Grant:
    app: OAuthApp
    account: Account
    user: User
    redirect_uri: str
    expires: float


@dataclass(slots=True)
class OAuthBook:
    """Which apps there are, and the codes that were given and not yet used."""

    apps: dict[str, OAuthApp] = field(default_factory=dict)
    _grants: dict[str, _Grant] = field(default_factory=dict)

    def app_for(self, client_id: str, redirect_uri: str) -> OAuthApp:
        """The app that may ask; raises OAuthError when it or the redirect_uri is not registered."""
        app = self.apps.get(client_id)
        if app is None:
            raise OAuthError("invalid_client", "There is no application with this client_id.")
        if not app.takes(redirect_uri):
            raise OAuthError(
                "invalid_request", "The redirect_uri does not fit the one registered with the app."
            )
        return app

    def grant(
        self, app: OAuthApp, account: Account, user: User, redirect_uri: str, ids: Ids, now: float
    ) -> str:
        """A code for the app, good once and for 30 seconds."""
        code = ids.hex(32)
        self._grants[code] = _Grant(app, account, user, redirect_uri, now + _CODE_LIFE)
        return code

    def exchange(
        self, *, code: str, client_id: str, client_secret: str, redirect_uri: str, ids: Ids, now: float
    ) -> tuple[Account, Credential]:
        """A token for a code, for the caller to register with the account.

        Raises OAuthError; a code is used up by the first try with the right secret.
        """
        app = self.apps.get(client_id)
        if app is None or not hmac.compare_digest(app.client_secret.encode(), client_secret.encode()):
            raise OAuthError("invalid_client", "The client_id or client_secret is wrong.")
        grant = self._grants.pop(code, None)
        if grant is None or grant.app is not app or grant.expires < now:
            raise OAuthError("invalid_grant", "The code is invalid, expired or used.")
        if grant.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri is not the one the code was asked for with.")
        return grant.account, Credential(ids.hex(32), grant.user, client_id=app.client_id, label=app.name)
