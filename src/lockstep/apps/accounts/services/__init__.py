"""Verbs that write accounts."""

from lockstep.apps.accounts.services.companies import (
    add_user,
    create_company,
    create_first_company,
    save_company,
)
from lockstep.apps.accounts.services.invitations import (
    accept_as,
    accept_as_newcomer,
    account_of,
    find_invitation,
    invite,
    resend_invitation,
    revoke_invitation,
)
from lockstep.apps.accounts.services.people import rename_user
from lockstep.apps.accounts.services.roles import save_role
from lockstep.apps.accounts.services.seats import (
    change_seat,
    deactivate_seat,
    reactivate_seat,
    remove_second_factor,
    remove_second_factor_everywhere,
)
from lockstep.apps.accounts.services.sign_ins import forget_old_sign_ins, note_arrival, note_sign_in

__all__ = [
    "accept_as",
    "accept_as_newcomer",
    "account_of",
    "add_user",
    "change_seat",
    "create_company",
    "create_first_company",
    "deactivate_seat",
    "find_invitation",
    "forget_old_sign_ins",
    "invite",
    "note_arrival",
    "note_sign_in",
    "reactivate_seat",
    "remove_second_factor",
    "remove_second_factor_everywhere",
    "rename_user",
    "resend_invitation",
    "revoke_invitation",
    "save_company",
    "save_role",
]
