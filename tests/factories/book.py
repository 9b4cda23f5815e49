from typing import Any

import factory
from factory.django import DjangoModelFactory

from lockstep.apps.book.models import Client, Contact, ListValue, Tag
from tests.factories.accounts import CompanyFactory


class ListValueFactory(DjangoModelFactory[ListValue]):
    class Meta:
        model = ListValue

    company = factory.SubFactory(CompanyFactory)
    kind = ListValue.Kind.STATUS
    name = factory.Sequence(lambda n: f"Value {n}")
    position = factory.Sequence(lambda n: n)


class TagFactory(DjangoModelFactory[Tag]):
    class Meta:
        model = Tag

    company = factory.SubFactory(CompanyFactory)
    kind = Tag.Kind.CONTACT
    name = factory.Sequence(lambda n: f"Tag {n}")


class ClientFactory(DjangoModelFactory[Client]):
    class Meta:
        model = Client

    company = factory.SubFactory(CompanyFactory)
    name = factory.Sequence(lambda n: f"Client {n}")


class ContactFactory(DjangoModelFactory[Contact]):
    """A contact of a client of the same company: give `company`, or `client`, or neither."""

    class Meta:
        model = Contact

    company = factory.SubFactory(CompanyFactory)
    client = factory.SubFactory(ClientFactory, company=factory.SelfAttribute("..company"))
    first_name = factory.Sequence(lambda n: f"First{n}")
    last_name = factory.Sequence(lambda n: f"Last{n}")
    email = factory.Sequence(lambda n: f"contact{n}@client.example.net")

    @classmethod
    def _generate(cls, strategy: str, params: dict[str, Any]) -> Any:
        if "client" in params:
            params.setdefault("company", params["client"].company)
        return super()._generate(strategy, params)
