"""The practice Mailchimp behind the pages."""

from tests.apps.connections.conftest import (  # noqa: F401  -- fixtures
    account,
    actor,
    audience,
    connection,
    mailchimp,
)
