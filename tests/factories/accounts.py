import factory
from factory.django import DjangoModelFactory

from lockstep.apps.accounts.models import Company, Seat, User
from lockstep.apps.accounts.permissions import Role


class CompanyFactory(DjangoModelFactory[Company]):
    """A company with empty lists: the service, not the factory, adds the starting values."""

    class Meta:
        model = Company

    name = factory.Sequence(lambda n: f"Company {n}")


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@staff.example.net")
    first_name = factory.Sequence(lambda n: f"First{n}")
    last_name = factory.Sequence(lambda n: f"Last{n}")
    password = factory.django.Password("correct horse battery")


class SeatFactory(DjangoModelFactory[Seat]):
    """`SeatFactory(role=…).actor()` is the actor that services take."""

    class Meta:
        model = Seat

    company = factory.SubFactory(CompanyFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.ADMIN
