"""What other apps may want to hear of accounts."""

from django.dispatch import Signal

company_created = Signal()
"""Sent by the service that made a company, inside its transaction, with `company`."""

settings_changed = Signal()
"""Sent by a service that changed people or the company, inside its transaction, for the history (B6).

With `actor`, `subject` (what kind of thing), `subject_id`, `label` (its name as people read it),
`action`, `changes` (a field to [old, new] as people read them) and `at`.
"""
