"""Real rows for tests. Names and addresses are numbered, so that two never meet by accident."""

from tests.factories.accounts import CompanyFactory, SeatFactory, UserFactory
from tests.factories.book import ClientFactory, ContactFactory, ListValueFactory, TagFactory
from tests.factories.connections import ConnectionFactory, MailchimpAccountFactory

__all__ = [
    "ClientFactory",
    "CompanyFactory",
    "ConnectionFactory",
    "ContactFactory",
    "ListValueFactory",
    "MailchimpAccountFactory",
    "SeatFactory",
    "TagFactory",
    "UserFactory",
]
