"""What people change about themselves."""

from __future__ import annotations

from lockstep.apps.accounts.models import User


def rename_user(user: User, *, first_name: str, last_name: str) -> User:
    """Set a person's own name; where they are a client rep, change capture takes it to Mailchimp."""
    user.first_name, user.last_name = first_name.strip(), last_name.strip()
    user.save(update_fields=["first_name", "last_name"])
    return user
