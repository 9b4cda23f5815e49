"""Housekeeping."""

from __future__ import annotations

from django.utils import timezone
from procrastinate.contrib.django import app

from lockstep.apps.integrations.services import forget_answers


@app.periodic(cron="23 * * * *", periodic_id="forget-answers")
@app.task(name="lockstep.integrations.forget", queueing_lock="integrations-forget")
def forget(timestamp: int) -> None:
    """Delete answers of idempotency keys that have lapsed."""
    forget_answers(timezone.now())
