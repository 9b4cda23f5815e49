"""Which e-mail addresses are taken (contract, 4.5: address refusals; trap 26)."""

from __future__ import annotations

import re

__all__ = ["is_fake", "is_valid"]

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]{1,59})"
_ADDRESS = re.compile(rf"{_LOCAL}@{_DOMAIN}")

_ROLES = frozenset(
    (
        "abuse admin administrator billing compliance devnull dns ftp hostmaster info inoc ispfeedback "
        "ispsupport list list-request maildaemon mailer-daemon no-reply noc noreply null phish phishing "
        "postmaster privacy registrar root security spam support sysadmin tech undisclosed-recipients "
        "unsubscribe usenet uucp webmaster www"
    ).split()
)
_TYPO_DOMAINS = frozenset(
    (
        "gmial.com gmai.com gmal.com gmil.com gamil.com gnail.com gmail.co gmail.con hotmial.com hotmai.com "
        "hotmail.con yaho.com yahooo.com yahoo.con outlok.com outlook.con"
    ).split()
)
_RESERVED = frozenset(("example.com", "example.org", "example.net", "localhost.localdomain"))
_RESERVED_ENDS = (".test", ".example", ".invalid", ".localhost")


def is_valid(address: str) -> bool:
    """Could this be an address at all? ASCII only, and a domain with a dot."""
    return len(address) <= 254 and len(address.partition("@")[0]) <= 64 and bool(_ADDRESS.fullmatch(address))


def is_fake(address: str) -> bool:
    """Does Mailchimp call it "fake or invalid": role, typo and reserved-domain addresses?"""
    local, _, domain = address.lower().partition("@")
    return (
        local in _ROLES
        or domain in _TYPO_DOMAINS
        or domain in _RESERVED
        or domain.endswith(_RESERVED_ENDS)
        or any(domain.endswith(f".{reserved}") for reserved in _RESERVED)
    )
