"""Verbs that write accounts."""

from lockstep.apps.accounts.services.companies import add_user, create_company, create_first_company

__all__ = ["add_user", "create_company", "create_first_company"]
