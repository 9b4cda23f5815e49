"""Real rows for tests. Names and addresses are numbered, so that two never meet by accident."""

from tests.factories.accounts import CompanyFactory, SeatFactory, UserFactory
from tests.factories.book import ClientFactory, ContactFactory, ListValueFactory, TagFactory

__all__ = [
    "ClientFactory",
    "CompanyFactory",
    "ContactFactory",
    "ListValueFactory",
    "SeatFactory",
    "TagFactory",
    "UserFactory",
]
