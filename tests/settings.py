"""The real settings, with what a test session needs in the environment first.

Imported by pytest-django before any conftest, in every xdist worker. ``DATABASE_URL`` is either given from
outside or names the socket of a throw-away PostgreSQL, which is started when the first test asks for it.
"""

import os

from tests.database import server_url_for_settings

os.environ["DATABASE_URL"] = server_url_for_settings()
os.environ["LOCKSTEP_SECRET_KEY"] = "only-for-tests-" + "0123456789" * 4
os.environ["LOCKSTEP_ENCRYPTION_KEYS"] = "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OTAxMjM0NTY="
os.environ["LOCKSTEP_BASE_URL"] = "http://127.0.0.1:8000"
for name in ("LOCKSTEP_DATA_DIR", "LOCKSTEP_MAIL_URL", "LOCKSTEP_DATABASE_POOL", "LOCKSTEP_DEBUG"):
    os.environ.pop(name, None)

from lockstep.project.settings import *  # noqa: E402, F403

# Fast hashing and no breached-password work: people are made by the hundred here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
