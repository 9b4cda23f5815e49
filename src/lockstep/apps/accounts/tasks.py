"""What workers do for accounts: doors only."""

from __future__ import annotations

from django.utils import timezone
from procrastinate.contrib.django import app

from lockstep.apps.accounts.services.sign_ins import forget_old_sign_ins


@app.periodic(cron="23 3 * * *")
@app.task(name="accounts.forget_old_sign_ins", queue="book")
def forget_old(timestamp: int) -> None:
    forget_old_sign_ins(now=timezone.now())
