"""Django's settings. What can be set from outside is declared and read in ``environment.py`` alone."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from lockstep.project.environment import Environment, SettingError, parse_database_url
from lockstep.project.log_format import FORMATTERS

_environment = Environment(os.environ)

try:
    _database = parse_database_url(_environment.required("DATABASE_URL"))
    SECRET_KEY = _environment.required("LOCKSTEP_SECRET_KEY")
    #: Fernet keys, the encrypting one first.
    LOCKSTEP_ENCRYPTION_KEYS = _environment.words("LOCKSTEP_ENCRYPTION_KEYS")
    DEBUG = _environment.flag("LOCKSTEP_DEBUG")
    _pool = _environment.number("LOCKSTEP_DATABASE_POOL")
    _proxies = _environment.number("LOCKSTEP_PROXIES")
    _environment.required("LOCKSTEP_ENCRYPTION_KEYS")
except SettingError as error:
    raise ImproperlyConfigured(str(error)) from error

if len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("LOCKSTEP_SECRET_KEY is too short: use at least 32 random characters.")

# --- Where Lockstep is reached --------------------------------------------------------------------

#: Without a slash at the end.
LOCKSTEP_BASE_URL = _environment.text("LOCKSTEP_BASE_URL").rstrip("/")
_base = urlsplit(LOCKSTEP_BASE_URL)
if _base.scheme not in {"http", "https"} or not _base.hostname:
    raise ImproperlyConfigured("LOCKSTEP_BASE_URL must look like https://lockstep.example.com")

_LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = [
    *(_LOOPBACK if _base.hostname in {"127.0.0.1", "localhost", "::1"} else [_base.hostname]),
    *_environment.words("LOCKSTEP_ALLOWED_HOSTS"),
]
if not {"127.0.0.1", "localhost"} & set(ALLOWED_HOSTS):
    # Others can reach it: what is harmless on one's own machine is refused.
    if DEBUG:
        raise ImproperlyConfigured("LOCKSTEP_DEBUG shows secrets to whoever provokes an error: unset it.")
    if len(set(SECRET_KEY)) < 10:
        raise ImproperlyConfigured("LOCKSTEP_SECRET_KEY repeats a few characters: use random ones.")
if any(host.startswith("*") for host in ALLOWED_HOSTS):
    raise ImproperlyConfigured("LOCKSTEP_ALLOWED_HOSTS must name the hosts; * would believe any name.")
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"]

_over_tls = _base.scheme == "https"
SESSION_COOKIE_SECURE = _over_tls
CSRF_COOKIE_SECURE = _over_tls
SESSION_COOKIE_NAME = "__Host-lockstep" if _over_tls else "lockstep"
CSRF_COOKIE_NAME = "__Host-lockstep-csrf" if _over_tls else "lockstep-csrf"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # Lax, so that the way back from Mailchimp's Allow page is still signed in
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if _over_tls else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if _proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ALLAUTH_TRUSTED_PROXY_COUNT = _proxies

# --- What it is made of ---------------------------------------------------------------------------

FORM_RENDERER = "lockstep.web.forms.FormRenderer"
CSRF_FAILURE_VIEW = "lockstep.web.errors.csrf_failure"
ROOT_URLCONF = "lockstep.project.urls"
ASGI_APPLICATION = "lockstep.project.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    # First: its templates stand before those of allauth and of Django's forms.
    "lockstep.web",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # allauth's page of security keys formats its dates with it.
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "template_partials",
    "pgtrigger",
    # Before our apps: their tasks are registered on its app.
    "procrastinate.contrib.django",
    "lockstep.apps.accounts",
    "lockstep.apps.book",
    "lockstep.apps.connections",
    "lockstep.apps.sync",
    "lockstep.apps.reports",
    "lockstep.apps.integrations",
    "lockstep.apps.campaigns",
]

MIDDLEWARE = [
    "lockstep.project.request_log.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "lockstep.web.security.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "lockstep.web.account.sessions.SessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "lockstep.web.shell.shell",
            ],
            "builtins": ["template_partials.templatetags.partials", "lockstep.web.templatetags.lockstep"],
        },
    },
]

# --- The database ---------------------------------------------------------------------------------

# A host that is cut off tells nobody. Both ends have to notice by themselves, and soon: the server, because a
# transaction of the lost host keeps its locks until its connection is given up; the host, because it would
# wait for an answer for a quarter of an hour. About 25 s; unix sockets don't mind.
_NOTICE_SILENCE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=25000",
}

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.name,
        "USER": _database.user,
        "PASSWORD": _database.password,
        "HOST": _database.host,
        "PORT": _database.port,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": "lockstep",
            "connect_timeout": 10,
            **_NOTICE_SILENCE,
            **_database.parameters,
            # A pool, since under ASGI a connection can't be kept per thread.
            **({"pool": {"min_size": 1, "max_size": _pool, "timeout": 10}} if _pool else {}),
        },
    }
}

# What counts attempts to sign in must be the same for all web processes, so it is kept here, not in memory.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- People ---------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # people come by invitation, sent to the very address
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _base.scheme
ACCOUNT_SESSION_REMEMBER = None  # asked at sign-in
ACCOUNT_ADAPTER = "lockstep.web.account.adapter.AccountAdapter"
# Wrong passwords: ten a minute from one network address, five in five minutes for one account.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
MFA_ADAPTER = "lockstep.web.account.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Lockstep"

# --- Files, mail, language ------------------------------------------------------------------------

#: Path or None: files that Lockstep keeps.
LOCKSTEP_DATA_DIR: Path | None = _environment.folder("LOCKSTEP_DATA_DIR")

STATIC_URL = "/static/"
STATIC_ROOT = LOCKSTEP_DATA_DIR / "static" if LOCKSTEP_DATA_DIR else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Hashed, compressed names where there is a folder to prepare them in; else straight from the package.
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MANIFEST_STRICT = True

FILE_UPLOAD_HANDLERS = [
    "lockstep.web.uploads.RefuseTooLarge",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

DEFAULT_FROM_EMAIL = SERVER_EMAIL = _environment.text("LOCKSTEP_MAIL_FROM")
_mail = urlsplit(_environment.text("LOCKSTEP_MAIL_URL"))
if _mail.scheme in {"smtp", "smtps"}:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname or "localhost"
    EMAIL_PORT = _mail.port or (465 if _mail.scheme == "smtps" else 587)
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = _mail.scheme == "smtp"
    EMAIL_TIMEOUT = 20
elif _mail.scheme:
    raise ImproperlyConfigured("LOCKSTEP_MAIL_URL must begin with smtp:// or smtps://")
elif LOCKSTEP_DATA_DIR:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = LOCKSTEP_DATA_DIR / "mail"
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = _environment.text("LOCKSTEP_TIME_ZONE")

# --- Mailchimp ------------------------------------------------------------------------------------

#: Origin of the sign-in pages, without a slash at the end.
MAILCHIMP_OAUTH_BASE_URL = _environment.text("MAILCHIMP_OAUTH_BASE_URL").rstrip("/")
MAILCHIMP_CLIENT_ID = _environment.text("MAILCHIMP_CLIENT_ID")
MAILCHIMP_CLIENT_SECRET = _environment.text("MAILCHIMP_CLIENT_SECRET")
#: Origin that replaces every data centre's, or empty.
MAILCHIMP_API_BASE_OVERRIDE = _environment.text("MAILCHIMP_API_BASE_OVERRIDE").rstrip("/")

# --- Other systems --------------------------------------------------------------------------------

#: Calls a minute that one access token may make, on average.
LOCKSTEP_MAILCHIMP_CALLS = min(max(_environment.number("LOCKSTEP_MAILCHIMP_CALLS"), 1), 10)
LOCKSTEP_API_RATE = _environment.number("LOCKSTEP_API_RATE")

#: What Prometheus shows to read /metrics; without one there is no such page.
LOCKSTEP_METRICS_TOKEN = _environment.text("LOCKSTEP_METRICS_TOKEN")

# --- Logs -----------------------------------------------------------------------------------------

_log_format = _environment.text("LOCKSTEP_LOG_FORMAT").lower()
if _log_format not in FORMATTERS:
    raise ImproperlyConfigured("LOCKSTEP_LOG_FORMAT must be text or json.")
_log_level = _environment.text("LOCKSTEP_LOG_LEVEL").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": FORMATTERS[_log_format]}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": _log_level},
    "loggers": {
        # Its own handlers would print a second, differently shaped line, and mail tracebacks about.
        "django": {"handlers": [], "level": _log_level, "propagate": True},
        # Django's own lines about 4xx carry the path, and with it secret links; ours carry the route.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "ERROR"},
        "procrastinate": {"level": "WARNING"},
        "uvicorn.access": {"level": "ERROR"},
        "asyncio": {"level": "WARNING"},
    },
}
