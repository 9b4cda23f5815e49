"""Companies, people, and who holds which seat."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from lockstep.apps.accounts.permissions import ROLE_LABELS, ROLE_PERMISSIONS, Actor, Permission, Role


class Company(models.Model):
    """One tenant: nothing of one company is ever visible to another (A2)."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address; may hold seats in several companies."""

    email = models.EmailField(max_length=254, unique=True)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_unique")]

    def __str__(self) -> str:
        return f"user {self.pk}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email

    def get_full_name(self) -> str:
        return self.full_name


class Seat(models.Model):
    """A person's place in a company: the role, and whether only own clients are seen (A1)."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="seats")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="seats")
    role = models.CharField(
        max_length=16,
        choices=[(role.value, label) for role, label in ROLE_LABELS.items()],
        default=Role.SALES,
    )
    own_clients_only = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "user"], name="accounts_seat_unique")]

    def __str__(self) -> str:
        return f"seat {self.pk}"

    def actor(self) -> Actor:
        """The actor that services ask for permissions.

        Who is limited to own clients manages no company, whatever the role:
        its settings list and count everybody's contacts.
        """
        permissions = ROLE_PERMISSIONS[Role(self.role)]
        if self.own_clients_only:
            permissions -= {Permission.MANAGE_COMPANY}
        return Actor(
            company=self.company,
            user=self.user,
            permissions=permissions,
            own_clients_only=self.own_clients_only,
        )
