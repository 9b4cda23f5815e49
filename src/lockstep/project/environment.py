"""Everything that can be set from outside, in one table.

Lockstep is configured by environment variables alone. Each is declared here once, read here only, and
described in ``docs/reference/settings.md`` (a test compares the two). ``lockstep up`` fills in what is
missing from its data folder; ``lockstep web`` and ``lockstep worker`` on their own take what the
environment says.

Standard library only: the launcher and the supervisor read it before Django is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = [
    "SETTINGS",
    "Database",
    "Environment",
    "Setting",
    "SettingError",
    "parse_database_url",
]


class SettingError(Exception):
    """An environment variable is missing or unusable. The text says which one and what to put there."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its name, what holds where it is not set, and what it means."""

    name: str
    default: str
    meaning: str
    #: Where the default is not a value but a rule ("the origin of LOCKSTEP_BASE_URL"), the rule in words.
    default_in_words: str = ""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATABASE_URL",
        "",
        "The PostgreSQL 15+ database, as `postgres://user:password@host:port/name`; query parameters such as "
        "`sslmode=require`, or `host=/folder/of/the/socket`, are passed on to libpq.",
        "`lockstep up` and `lockstep test` start an embedded PostgreSQL; everything else needs it",
    ),
    Setting(
        "LOCKSTEP_DATABASE_POOL",
        "0",
        "Database connections that one web process keeps open at most; 0 opens one for each request.",
        "0; `lockstep web` uses 10",
    ),
    Setting(
        "LOCKSTEP_SECRET_KEY",
        "",
        "Signs sessions and links. At least 32 random characters, the same on every host.",
        "none: Lockstep refuses to start without it; `lockstep up` makes one in its data folder",
    ),
    Setting(
        "LOCKSTEP_ENCRYPTION_KEYS",
        "",
        "Fernet keys, separated by commas, that encrypt Mailchimp credentials in the database. The first one "
        "encrypts, all of them decrypt: put a new one in front to rotate.",
        "none: Lockstep refuses to start without it; `lockstep up` makes one in its data folder",
    ),
    Setting(
        "LOCKSTEP_BASE_URL",
        "http://127.0.0.1:8000",
        "The address people open Lockstep at. Links in mails and in the audience fields, the OAuth return "
        "address and the webhook address are made from it. With `https`, cookies are sent over TLS only.",
    ),
    Setting(
        "LOCKSTEP_ALLOWED_HOSTS",
        "",
        "Further host names that Lockstep answers to, separated by commas.",
        "the host of LOCKSTEP_BASE_URL",
    ),
    Setting(
        "LOCKSTEP_PROXIES",
        "0",
        "How many reverse proxies stand before Lockstep. They are then believed about the visitor's address "
        "and about TLS (X-Forwarded-For, X-Forwarded-Proto); 0 believes nobody.",
    ),
    Setting(
        "LOCKSTEP_DATA_DIR",
        "",
        "The data folder: mails not sent, refused import rows, prepared static files, and what is listed "
        "below.",
        "`data/` beside the script under `lockstep up`; otherwise no files are kept",
    ),
    Setting(
        "LOCKSTEP_HOME",
        "",
        "The folder of the clone, set by the `./lockstep` script; `data/` in it is the data folder of "
        "`lockstep up`.",
        "the folder that the command is run in",
    ),
    Setting(
        "LOCKSTEP_MAIL_URL",
        "",
        "How mail is sent: `smtp://user:password@host:port` (STARTTLS) or `smtps://...` (TLS at once).",
        "mails are written as files into `mail/` of the data folder, or to stderr where there is none",
    ),
    Setting(
        "LOCKSTEP_MAIL_FROM",
        "Lockstep <lockstep@localhost>",
        "The sender of mails.",
    ),
    Setting(
        "LOCKSTEP_TIME_ZONE",
        "UTC",
        "The time zone that dates are shown in, such as `Europe/Berlin`.",
    ),
    Setting(
        "LOCKSTEP_MAILCHIMP_CALLS",
        "8",
        "Calls to one Mailchimp account that may be open at once, up to ten. Mailchimp allows a user ten; "
        "what is left is for people at its web pages and for other programs.",
    ),
    Setting(
        "LOCKSTEP_API_RATE",
        "600",
        "Calls a minute that one access token may make on average; a sixth of that at once.",
    ),
    Setting(
        "LOCKSTEP_LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR. Logs go to stderr, one line per event, with our ids and "
        "without names or addresses of people.",
    ),
    Setting(
        "LOCKSTEP_LOG_FORMAT",
        "text",
        "How a line of the log is written: `text` is `key=value`, `json` one JSON object per line.",
    ),
    Setting(
        "LOCKSTEP_METRICS_TOKEN",
        "",
        "With this word as `Authorization: Bearer` token, `/metrics` answers Prometheus.",
        "none: there is no `/metrics`",
    ),
    Setting(
        "LOCKSTEP_DEBUG",
        "0",
        "1 shows Django's error pages and reloads templates. For developers, never on a reachable address.",
    ),
    Setting(
        "MAILCHIMP_OAUTH_BASE_URL",
        "https://login.mailchimp.com",
        "Where Connect to Mailchimp sends people; the practice Mailchimp's address under `lockstep up`.",
    ),
    Setting(
        "MAILCHIMP_CLIENT_ID",
        "",
        "The client id of your registered Mailchimp app; without it, only API keys can be used to connect.",
        "none; `lockstep up` uses the practice Mailchimp's",
    ),
    Setting(
        "MAILCHIMP_CLIENT_SECRET",
        "",
        "The client secret of that app.",
        "none; `lockstep up` uses the practice Mailchimp's",
    ),
    Setting(
        "MAILCHIMP_API_BASE_OVERRIDE",
        "",
        "Send every Marketing API call here, whatever data centre a key or sign-in names. For the practice "
        "Mailchimp and for tests.",
        "none: `https://<data centre>.api.mailchimp.com`",
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Environment:
    """Reads declared settings out of a mapping such as ``os.environ``."""

    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """The setting's value, or its default; always stripped of blanks around it."""
        setting = _BY_NAME[name]
        return self.values.get(name, "").strip() or setting.default

    def required(self, name: str) -> str:
        """The setting's value. Raises SettingError where it is empty."""
        value = self.text(name)
        if not value:
            raise SettingError(f"{name} is not set. {_BY_NAME[name].meaning}")
        return value

    def number(self, name: str) -> int:
        """A whole number of 0 or more. Raises SettingError for anything else."""
        value = self.text(name)
        if not value.isdecimal():
            raise SettingError(f"{name} must be a whole number, but is {value!r}.")
        return int(value)

    def flag(self, name: str) -> bool:
        """Whether the setting is switched on (1, true, yes, on). Raises SettingError for an unclear word."""
        value = self.text(name).lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off", ""}:
            return False
        raise SettingError(f"{name} must be 1 or 0, but is {value!r}.")

    def words(self, name: str) -> list[str]:
        """The values between commas, without empty ones."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def folder(self, name: str) -> Path | None:
        """An absolute folder path, or None where it is not set."""
        value = self.text(name)
        return Path(value).expanduser().absolute() if value else None


@dataclass(frozen=True, slots=True)
class Database:
    """Where a PostgreSQL database is. ``parameters`` go to libpq as they are."""

    name: str
    user: str
    password: str
    host: str
    port: str
    parameters: Mapping[str, str]


def parse_database_url(url: str) -> Database:
    """Take a ``postgres://`` address apart.

    ``postgres:///name?host=/folder&user=me`` names a unix socket's folder. Raises SettingError where the
    scheme is another one or the database name is missing.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise SettingError(
            "DATABASE_URL must begin with postgres:// (Lockstep runs on PostgreSQL 15 or newer only)."
        )
    parameters = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/")) or parameters.pop("dbname", "")
    if not name:
        raise SettingError("DATABASE_URL must end with the database's name: postgres://user@host:port/name")
    try:
        port = str(parts.port or "")
    except ValueError as error:
        raise SettingError("DATABASE_URL has an unusable port.") from error
    return Database(
        name=name,
        user=unquote(parts.username or "") or parameters.pop("user", ""),
        password=unquote(parts.password or "") or parameters.pop("password", ""),
        host=unquote(parts.hostname or "") or parameters.pop("host", ""),
        port=port or parameters.pop("port", ""),
        parameters=parameters,
    )
