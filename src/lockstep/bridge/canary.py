"""The canary test: does this Mailchimp leave statuses alone in calls with several members? (contract 0)

Mailchimp's newest description says that items may carry `status_if_new` instead
of `status`, and that it is used only for people new to the audience. No recent
recording shows it, so it is proven once per connection, on an address of the
account's own login, before any batch of ours touches a customer.

This is the only place of the bridge that sends a `status`, and it sends it for
the canary's own address only.
"""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.bridge import failures
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import MemberStatus
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import (
    ForgottenEmail,
    InvalidCall,
    MailchimpError,
    MemberExists,
    MethodNotAllowed,
    NotFound,
    RequestRefused,
)
from lockstep.mailchimp.wire import BatchMember, ListMember

CANARY_TAG = "lockstep-check"
"""What is added to the login's own address: owner+lockstep-check@example.com."""

ADDRESSES = 3
"""Addresses that are tried when one was deleted for good, and so can never come back (contract 4.5)."""

_VALUES = ("Checking", "Checked")
_FIELDS = ("email_address", "status", "merge_fields", "last_changed")


class _NotProven(Exception):
    """The test could not be carried out, or showed what it must not."""


async def batches_keep_status(api: MailchimpAPI, list_id: str, field_map: FieldMap) -> bool:
    """True only when it was seen that a batch changes fields and neither an unsubscribed nor an
    archived member's status.

    False when it was seen otherwise, or when the test could not be carried out
    (address refused, items without `status` refused). Raises `ConnectionBroken`
    and `AudienceUnavailable` when nothing can be said now. Whatever happens, the
    canary is archived again if Mailchimp lets us. Our audience fields must be there
    already: a field that is not would make every proof fail.
    """
    try:
        login = (await api.root()).email
        for address in canary_addresses(login):
            test = _Canary(api, list_id, field_map, address)
            try:
                await test.run()
            except ForgottenEmail:
                continue
            except NotFound:
                raise
            except (_NotProven, RequestRefused, InvalidCall):
                return False
            return True
    except MailchimpError as error:
        raise failures.read_error(error) from error
    return False


def canary_addresses(login: str) -> Iterator[str]:
    """Addresses whose mail goes to the login itself; none where the login is no address."""
    local, at, domain = login.strip().rpartition("@")
    if not (local and at and domain):
        return
    name = local.partition("+")[0]
    for number in range(1, ADDRESSES + 1):
        yield f"{name}+{CANARY_TAG}{number if number > 1 else ''}@{domain}"


class _Canary:
    def __init__(self, api: MailchimpAPI, list_id: str, field_map: FieldMap, address: str) -> None:
        self._api = api
        self._list_id = list_id
        self._address = address
        self._hash: SubscriberHash = subscriber_hash(address_key(address))
        self._tag = field_map.tags[-1]

    async def run(self) -> None:
        """Raises `_NotProven` unless everything was as promised."""
        await self._begin()
        try:
            await self._write_and_expect(MemberStatus.UNSUBSCRIBED, _VALUES[0])
            await self._write_and_expect(MemberStatus.UNSUBSCRIBED, _VALUES[1])
            await self._archive()
            await self._write_and_expect(MemberStatus.ARCHIVED, _VALUES[0], field_too=False)
        finally:
            await self._archive()

    async def _begin(self) -> None:
        """The canary, unsubscribed: made, brought back from the archive, or left over from a killed test."""
        try:
            member = await self._api.create_member_with_explicit_status(
                self._list_id, self._address, "unsubscribed"
            )
        except MemberExists:
            member = await self._read()
            if member.status != MemberStatus.UNSUBSCRIBED:
                member = await self._api.set_member_status_explicitly(
                    self._list_id, self._hash, "unsubscribed"
                )
        if member.status != MemberStatus.UNSUBSCRIBED:
            raise _NotProven

    async def _write_and_expect(self, status: MemberStatus, value: str, *, field_too: bool = True) -> None:
        """The call under test, with the one status that must not come through."""
        item = BatchMember(
            email_address=self._address, status_if_new="subscribed", merge_fields={self._tag: value}
        )
        answer = await self._api.subscribe_batch(self._list_id, [item])
        member = await self._read()
        kept = member.status == status
        written = not answer.errors and str(member.merge_fields.get(self._tag, "")) == value
        if not kept or (field_too and not written):
            raise _NotProven

    async def _read(self) -> ListMember:
        try:
            return await self._api.member(self._list_id, self._hash, fields=_FIELDS)
        except NotFound:
            raise _NotProven from None

    async def _archive(self) -> None:
        try:
            await self._api.archive_member(self._list_id, self._hash)
        except (MethodNotAllowed, NotFound):
            return
