"""What the services of connections raise. Every text is for the person who asked.

ConnectError
├── OAuthNotSetUp        this installation has no Mailchimp app to log in with
├── LogInNotOurs         the way back from Mailchimp does not belong to a log-in that this person began
├── CredentialsRefused   Mailchimp does not accept the key, or the person did not press Allow
├── MailchimpRefused     Mailchimp refused what was asked (`raw`: its own words)
├── TagsRefused          tags can't go out as tags in Mailchimp with these settings
├── MailchimpAway        Mailchimp could not be asked just now
└── SyncIsOn             a sync has to be stopped first (`connection`)
"""

from __future__ import annotations

from lockstep.apps.connections.models import Connection


class ConnectError(Exception):
    """Nothing was changed; the text says what is and what to do."""


class OAuthNotSetUp(ConnectError):
    def __init__(self) -> None:
        super().__init__(
            "This installation has no Mailchimp app to log in with. Connect with an API key, or ask whoever "
            "runs Lockstep to set MAILCHIMP_CLIENT_ID and MAILCHIMP_CLIENT_SECRET."
        )


class LogInNotOurs(ConnectError):
    def __init__(self) -> None:
        super().__init__(
            "This way back from Mailchimp does not belong to a log-in that you began here, or it took "
            "longer than half an hour. Press Connect to Mailchimp once more."
        )


class CredentialsRefused(ConnectError):
    pass


class MailchimpRefused(ConnectError):
    """`raw` is in Mailchimp's words."""

    def __init__(self, text: str, raw: str = "") -> None:
        self.raw = raw
        super().__init__(text)


class TagsRefused(ConnectError):
    pass


class MailchimpAway(ConnectError):
    """`raw` is what came instead of an answer, for the page."""

    def __init__(self, raw: str = "") -> None:
        self.raw = raw
        super().__init__("Mailchimp can't be reached just now. Wait a minute and try again.")


class SyncIsOn(ConnectError):
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        super().__init__(
            f"The sync with {connection.list_name} is on. Open View Sync, choose Stop Sync, then come back."
        )
