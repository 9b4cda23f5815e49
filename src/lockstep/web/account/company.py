"""The company itself, and what its roles may do."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from lockstep.apps.accounts import services
from lockstep.apps.accounts.errors import Refused
from lockstep.apps.accounts.permissions import (
    ALWAYS,
    PERMISSION_LABELS,
    ROLE_LABELS,
    ROLE_PERMISSIONS,
    Permission,
    Role,
)
from lockstep.web.account.forms import CompanyForm, complain
from lockstep.web.doors import AskedRequest, answer, door, go

__all__ = ["company", "role", "roles"]


@door(Permission.MANAGE_COMPANY, nav="company", methods=("GET", "POST"))
def company(request: AskedRequest) -> HttpResponse:
    here, posted = request.company, request.method == "POST"
    names = ("name", "time_zone", "default_country", "default_role", "require_second_factor")
    form = CompanyForm(
        request.POST if posted else None, initial={name: getattr(here, name) for name in names}
    )
    if posted and form.is_valid():
        told = form.cleaned_data | {"default_role": Role(form.cleaned_data["default_role"])}
        try:
            services.save_company(request.actor, **told)
        except Refused as refusal:
            complain(form, refusal)
        else:
            messages.success(request, "The company’s settings are saved.")
            return go(request, reverse("account:company"))
    return answer(request, "settings/company.html", {"form": form}, status=422 if form.is_bound else 200)


@door(Permission.MANAGE_COMPANY, nav="roles")
def roles(request: AskedRequest) -> HttpResponse:
    """A column for each role, a row for each permission."""
    now = {role: request.company.permissions_of(role) for role in Role}
    rows = [
        {
            "label": PERMISSION_LABELS[permission],
            "cells": [
                {
                    "role": role,
                    "role_label": ROLE_LABELS[role],
                    "name": permission.value,
                    "on": permission in now[role],
                    "fixed": permission in ALWAYS[role] or not request.actor.may(permission),
                }
                for role in Role
            ],
        }
        for permission in Permission
    ]
    columns = [
        {"role": role, "label": ROLE_LABELS[role], "changed": now[role] != ROLE_PERMISSIONS[role]}
        for role in Role
    ]
    return answer(request, "settings/roles.html", {"rows": rows, "columns": columns})


@door(Permission.MANAGE_COMPANY, nav="roles", methods=("POST",))
def role(request: AskedRequest) -> HttpResponse:
    """Take the whole table as it stands on the page; what does not differ is left alone."""
    known = {permission.value: permission for permission in Permission}
    try:
        for one in Role:
            ticked = {known[name] for name in request.POST.getlist(one.value) if name in known}
            # Boxes that can't be changed are not sent.
            kept = {it for it in request.company.permissions_of(one) if not request.actor.may(it)}
            services.save_role(request.actor, role=one, permissions=ticked | kept)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The roles are saved. They hold from each person’s next click on.")
    return go(request, reverse("account:roles"))
