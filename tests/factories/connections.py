from typing import Any

import factory
from factory.django import DjangoModelFactory

from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import seal
from tests.factories.accounts import CompanyFactory


class MailchimpAccountFactory(DjangoModelFactory[MailchimpAccount]):
    """Connected, with a key that opens nothing: `secret` and `api_base` reach a practice one."""

    class Meta:
        model = MailchimpAccount

    company = factory.SubFactory(CompanyFactory)
    auth_kind = MailchimpAccount.AuthKind.API_KEY
    secret = factory.LazyFunction(lambda: seal("0123456789abcdef0123456789abcdef-us6"))
    data_center = "us6"
    api_base = "http://127.0.0.1:9"
    account_id = factory.Sequence(lambda n: f"account{n}")
    account_name = factory.Sequence(lambda n: f"Account {n}")
    role = "owner"
    plan = "monthly"


class ConnectionFactory(DjangoModelFactory[Connection]):
    """An audience of an account in the same company: give `account`, or `company`, or neither."""

    class Meta:
        model = Connection

    company = factory.SubFactory(CompanyFactory)
    account = factory.SubFactory(MailchimpAccountFactory, company=factory.SelfAttribute("..company"))
    list_id = factory.Sequence(lambda n: f"list{n}")
    list_name = factory.Sequence(lambda n: f"Audience {n}")

    @classmethod
    def _generate(cls, strategy: str, params: dict[str, Any]) -> Any:
        if "account" in params:
            params.setdefault("company", params["account"].company)
        return super()._generate(strategy, params)
