"""Companies, people, and who holds which seat."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from lockstep.apps.accounts.permissions import ROLE_LABELS, Actor, Permission, Role, permissions_of

ROLE_CHOICES = [(role.value, label) for role, label in ROLE_LABELS.items()]


class Company(models.Model):
    """One tenant: nothing of one company is ever visible to another (A2)."""

    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, blank=True, default="")
    """An IANA name such as Europe/Berlin; '' is the installation's."""
    default_country = models.CharField(max_length=100, blank=True, default="")
    """What a new client's address begins with."""
    default_role = models.CharField(max_length=16, choices=ROLE_CHOICES, default=Role.SALES)
    """What an invitation begins with."""
    require_second_factor = models.BooleanField(default=False)
    role_permissions = models.JSONField(default=dict, blank=True)
    """The roles that this company changed, by name, with the names of their permissions."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that the company's dates are shown in."""
        return ZoneInfo(self.time_zone or settings.TIME_ZONE)

    def permissions_of(self, role: Role | str) -> frozenset[Permission]:
        """What this role may do here."""
        return permissions_of(Role(role), self.role_permissions)


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
    role = models.CharField(max_length=16, choices=ROLE_CHOICES, default=Role.SALES)
    own_clients_only = models.BooleanField(default=False)
    deactivated_at = models.DateTimeField(null=True, blank=True)
    """Since when the person is kept out of this company; their name stays on what they did."""
    last_sign_in_at = models.DateTimeField(null=True, blank=True)
    """When the person last came into this company."""
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
        permissions = self.company.permissions_of(self.role)
        if self.own_clients_only:
            permissions -= {Permission.MANAGE_COMPANY}
        return Actor(
            company=self.company,
            user=self.user,
            permissions=permissions,
            own_clients_only=self.own_clients_only,
        )


class Invitation(models.Model):
    """A link, sent by mail, with which one person takes a seat once (A1).

    Only a digest of the link's token is kept: who reads the database can't
    join, and nobody but the address learns the link.
    """

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    own_clients_only = models.BooleanField(default=False)
    digest = models.BinaryField(unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    """When a mail with the link last left; null where sending failed."""
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "company",
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="accounts_invitation_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"


class SignIn(models.Model):
    """Something that happened to a person's way in: who, when, from where, and how it went."""

    class Kind(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        WRONG_PASSWORD = "wrong_password", "Wrong password"
        WRONG_CODE = "wrong_code", "Wrong second factor"
        HELD_BACK = "held_back", "Too many attempts, held back"
        SIGNED_OUT = "signed_out", "Signed out"
        OTHERS_ENDED = "others_ended", "Signed out elsewhere"
        PASSWORD_CHANGED = "password_changed", "Password changed"
        PASSWORD_RESET = "password_reset", "Password reset by mail"
        FACTOR_ADDED = "factor_added", "Second factor added"
        FACTOR_REMOVED = "factor_removed", "Second factor removed"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=20, choices=Kind)
    address = models.GenericIPAddressField(null=True, blank=True)
    """The network address that it came from."""
    browser = models.CharField(max_length=200, blank=True, default="")
    """The browser's own words about itself, cut."""

    class Meta:
        indexes = [
            models.Index(fields=["user", "-at", "-id"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of user {self.user_id}"
