"""What other apps may want to hear of accounts."""

from django.dispatch import Signal

company_created = Signal()
"""Sent by the service that made a company, inside its transaction, with `company`."""
