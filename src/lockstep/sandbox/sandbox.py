"""The whole practice Mailchimp as one object: everything in memory, nothing global."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from . import campaign, webhook
from .account import Account, Credential, User
from .audience import Audience
from .clock import Clock
from .courier import Courier, HttpTransport, ThreadCourier
from .events import EventBus
from .faults import FaultBook
from .ids import Ids
from .oauth import OAuthApp, OAuthBook
from .request_log import RequestLog
from .schedule import Schedule
from .subscription import Doing, create
from .switches import Switches

if TYPE_CHECKING:
    from .api import Api
    from .journal import Journal

__all__ = ["DEFAULT_API_KEY", "DEFAULT_CLIENT_ID", "DEFAULT_CLIENT_SECRET", "Latency", "Sandbox"]

DEFAULT_API_KEY = "0123456789abcdef0123456789abcdef-us6"
DEFAULT_CLIENT_ID = "100000000001"
# Practice credentials, printed at start and in the manual: they open nothing but this sandbox.
DEFAULT_CLIENT_SECRET = "practice-client-secret"  # noqa: S105

T = TypeVar("T")

_DEFAULT_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("FNAME", "First Name", "text"),
    ("LNAME", "Last Name", "text"),
    ("ADDRESS", "Address", "address"),
    ("PHONE", "Phone Number", "phone"),
)
_NEWER_FIELDS = (("BIRTHDAY", "Birthday", "birthday"), ("COMPANY", "Company", "text"))

_PEOPLE = (
    ("pat", "Pat", "Doe"),
    ("kim", "Kim", "Løvland"),
    ("sam", "Sam", "O'Brien"),
    ("noor", "Noor", "Haddad"),
    ("jo", "Jo", "Smith"),
)
_CONTACT = {
    "company": "Example Club", "address1": "1 High St", "address2": "", "city": "Town", "state": "TS",
    "zip": "12345", "country": "US", "phone": "",
}  # fmt: skip


@dataclass(slots=True)
class Latency:
    """How long every answer takes, in real milliseconds: `milliseconds`, give or take `spread`."""

    milliseconds: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a practice sandbox starts with."""

    api_keys: tuple[str, ...]
    app: OAuthApp


class Sandbox:
    """All state of the sandbox, and how accounts and audiences come to be.

    Further resources keep their state in `store`, one entry per resource module.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        switches: Switches | None = None,
        courier: Courier | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.ids = Ids(seed)
        self.switches = switches or Switches()
        self.accounts: dict[str, Account] = {}
        self.oauth = OAuthBook()
        self.faults = FaultBook()
        self.latency = Latency()
        self.log = RequestLog()
        self.schedule = Schedule()
        self.events = EventBus()
        self.events.subscribe(lambda event: campaign.hear(self, event))
        self.events.subscribe(lambda event: webhook.hear(self, event))
        #: Who carries webhook calls out of here; loopback only by default.
        self.courier: Courier = courier or ThreadCourier(HttpTransport())
        #: The API over this sandbox, for operations of batches; set by whoever makes it.
        self.api: Api | None = None
        #: Who writes down what changes; set by whoever keeps the state in a file.
        self.journal: Journal | None = None
        self.in_flight: Counter[int] = Counter()
        self._stores: dict[str, Any] = {}
        self._saved_stores: dict[str, Any] = {}
        self._beginning = Beginning((), OAuthApp(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, "Lockstep"))
        self._keys: dict[str, Account] = {}

    # --- accounts ---

    def add_account(
        self, name: str, *, api_key: str | None = None, data_centre: str = "us6", role: str = "owner"
    ) -> Account:
        """A new account with one user and one API key; a key made here ends in the data centre."""
        if api_key is None:
            api_key = f"{self.ids.hex(32)}-{data_centre}"
        elif "-" in api_key:
            data_centre = api_key.rpartition("-")[2]
        slug = "".join(char for char in name.lower() if char.isalnum()) or "account"
        user = User(self.ids.number(), slug, f"owner@{slug}.example", role=role)
        account = Account(self.ids.hex(25), name, data_centre, self.clock.second(), [user])
        account.contact = dict(_CONTACT) | {"company": name}
        self.accounts[account.id] = account
        self.add_credential(account, Credential(api_key, user))
        return account

    def add_credential(self, account: Account, credential: Credential) -> Credential:
        """Let a key or token open an account; raises ValueError if it opens one already."""
        if credential.secret in self._keys:
            raise ValueError("this key is in use already")
        account.credentials[credential.secret] = credential
        self._keys[credential.secret] = account
        return credential

    def opened_by(self, secret: str) -> tuple[Account, Credential] | None:
        """The account that a key or token opens, revoked ones included.

        A token may carry the data centre: `<token>-us6` (contract, 1.2).
        """
        account = self._keys.get(secret)
        if account is None:
            token, dash, centre = secret.rpartition("-")
            account = self._keys.get(token) if dash else None
            if account is None or account.data_centre != centre:
                return None
            secret = token
        return account, account.credentials[secret]

    # --- audiences ---

    def add_audience(
        self,
        account: Account,
        name: str,
        *,
        id: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Audience:
        """A new audience with the default merge fields (contract, 3.3)."""
        audience = Audience(
            id or self.ids.hex(10),
            name,
            web_id=100_000 + self.ids.number(),
            created=self.clock.second(),
            salt=int(self.ids.hex(32), 16),
            web_id_base=400_000_000,
            events=self.events,
            settings=self._settings(account, name) | (settings or {}),
        )
        if audience.id in account.audiences:
            raise ValueError(f"there is an audience {audience.id} already")
        fields = _DEFAULT_FIELDS + (_NEWER_FIELDS if self.switches.newer_default_fields else ())
        for tag, label, type_ in fields:
            audience.add_merge_field(tag=tag, name=label, type=type_, public=True)
        if audience.settings["marketing_permissions"]:
            audience.set_marketing_permissions(True, self.ids)
        account.audiences[audience.id] = audience
        return audience

    def find_audience(self, audience_id: str) -> tuple[Account, Audience] | None:
        """An audience of any account, by id."""
        for account in self.accounts.values():
            if audience_id in account.audiences:
                return account, account.audiences[audience_id]
        return None

    @staticmethod
    def _settings(account: Account, name: str) -> dict[str, Any]:
        return {
            "contact": dict(_CONTACT) | {"company": account.name},
            "permission_reminder": f"You signed up for {name}.",
            "use_archive_bar": True,
            "campaign_defaults": {
                "from_name": account.name,
                "from_email": account.owner.email,
                "subject": "",
                "language": "en",
            },
            "notify_on_subscribe": "",
            "notify_on_unsubscribe": "",
            "email_type_option": False,
            "visibility": "prv",
            "double_optin": False,
            "marketing_permissions": False,
        }

    def doing(self, account: Account, **more: Any) -> Doing:
        """What a write of this account may use; `more` are further fields of Doing."""
        limit = self.switches.plan_limit
        return Doing(
            at=self.clock.second(),
            ids=self.ids,
            switches=self.switches,
            **{"has_room": (lambda: account.contacts() < limit) if limit else _always} | more,
        )

    # --- further resources ---

    def store(self, name: str, make: Callable[[], T]) -> T:
        """The state of a resource module, made by `make` at first and after every reset."""
        if name not in self._stores:
            self._stores[name] = made = make()
            if name in self._saved_stores:
                made.load(self._saved_stores.pop(name))  # type: ignore[attr-defined]  # what was dumped loads
        found: T = self._stores[name]
        return found

    def dump_stores(self) -> dict[str, Any]:
        """All resource states by name, for the snapshot; those too that nobody asked for since they came out
        of one."""
        held = {name: held.dump() for name, held in self._stores.items() if hasattr(held, "dump")}
        return self._saved_stores | held

    def restore_stores(self, saved: dict[str, Any]) -> None:
        """Give each resource its dumped state back when it first asks for its store."""
        self._saved_stores = dict(saved)

    # --- beginnings ---

    @classmethod
    def practice(
        cls,
        *,
        api_keys: tuple[str, ...] = (DEFAULT_API_KEY,),
        client_id: str = DEFAULT_CLIENT_ID,
        client_secret: str = DEFAULT_CLIENT_SECRET,
        app_name: str = "Lockstep",
        seed: int = 1,
        clock: Clock | None = None,
    ) -> Sandbox:
        """A sandbox to start with: per API key an account with an audience of five subscribers; one app."""
        sandbox = cls(seed=seed, clock=clock)
        sandbox._beginning = Beginning(api_keys, OAuthApp(client_id, client_secret, app_name))
        sandbox._begin()
        return sandbox

    def reset(self, *, seed: int | None = None, empty: bool = False) -> None:
        """Back to the beginning, or to nothing at all with `empty`: state, faults, latency, log, schedule.

        The clock goes back to real time. Listeners stay.
        """
        self.clock.set(time.time())
        self.clock.run(1.0)
        self.ids = Ids(self.ids.seed if seed is None else seed)
        self.switches = Switches()
        self.latency = Latency()
        self._saved_stores = {}
        for held in (self.accounts, self._keys, self._stores, self.oauth.apps, self.schedule, self.faults):
            held.clear()
        self.log.clear()
        if not empty:
            self._begin()
        if self.journal is not None:
            self.journal.save()

    def _begin(self) -> None:
        app = self._beginning.app
        self.oauth.apps[app.client_id] = app
        for number, api_key in enumerate(self._beginning.api_keys):
            account = self.add_account(
                "Example Club" if not number else f"Example Club {number + 1}", api_key=api_key
            )
            audience = self.add_audience(account, "Members")
            doing = self.doing(account, label="Admin Add", source="admin", set_by="admin")
            for local, first, last in _PEOPLE:
                merges = {"merge_fields": {"FNAME": first, "LNAME": last}}
                create(audience, f"{local}@club.example", "subscribed", merges, doing)

    def tick(self) -> int:
        """Do what has become due, and return how much; called on every request, whenever the clock is moved,
        and between requests while anything is to come."""
        if self.journal is None or not self.is_busy():
            return self.courier.collect() + self.schedule.run_due(self.clock.now())
        self.journal.begin()
        happened = self.courier.collect() + self.schedule.run_due(self.clock.now())
        self.journal.end(write=happened > 0)
        return happened

    def keeping(self, path: str) -> AbstractContextManager[None]:
        """Around whatever changes something for a request to `path`: see `journal`."""
        return nullcontext() if self.journal is None else self.journal.keeping(path)

    def is_busy(self) -> bool:
        """Is anything still to come: by the clock, or as an answer to a webhook call?"""
        return bool(self.schedule) or self.courier.outstanding() > 0


def _always() -> bool:
    return True
