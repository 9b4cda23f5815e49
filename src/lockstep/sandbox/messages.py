"""Merge-field messages in the language of the audience (contract, 3.2; trap 5).

Only the German `VALUE_MISSING` is recorded from the live service; the rest are INFERRED translations. They
are here so that nobody can get away with comparing English texts.
"""

from __future__ import annotations

import re

__all__ = ["LANGUAGES", "translate"]

_BIRTHDAY = "Please enter a month (01-12) and a day (01-31)"
_TEXTS: dict[str, dict[str, str]] = {
    "de": {
        "Please enter a value": "Bitte gib einen Wert ein.",
        "Please enter a number": "Bitte gib eine Zahl ein.",
        "Please enter the date": "Bitte gib das Datum ein.",
        _BIRTHDAY: "Bitte gib einen Monat (01-12) und einen Tag (01-31) ein.",
        "Please enter a complete address": "Bitte gib eine vollständige Adresse ein.",
        "Please enter a valid URL": "Bitte gib eine gültige URL ein.",
        "Please enter a valid zip code": "Bitte gib eine gültige Postleitzahl ein.",
        "Value must be one of: {} (not {})": "Der Wert muss einer der folgenden sein: {} (nicht {})",
    },
    "fr": {
        "Please enter a value": "Veuillez saisir une valeur.",
        "Please enter a number": "Veuillez saisir un nombre.",
        "Please enter the date": "Veuillez saisir la date.",
        _BIRTHDAY: "Veuillez saisir un mois (01-12) et un jour (01-31).",
        "Please enter a complete address": "Veuillez saisir une adresse complète.",
        "Please enter a valid URL": "Veuillez saisir une URL valide.",
        "Please enter a valid zip code": "Veuillez saisir un code postal valide.",
        "Value must be one of: {} (not {})": "La valeur doit être l'une des suivantes : {} (et non {})",
    },
}
LANGUAGES = ("en", *_TEXTS)
_CHOICE = re.compile(r"Value must be one of: (.*) \(not (.*)\)", re.DOTALL)


def translate(message: str, language: str) -> str:
    """`message` in `language`, or as it is where no translation is known."""
    texts = _TEXTS.get(language.partition("_")[0].partition("-")[0], {})
    if found := _CHOICE.fullmatch(message):
        return texts.get("Value must be one of: {} (not {})", message).format(*found.groups())
    return texts.get(message, message)
