"""The shapes of personal values that people write down: addresses for mail, accounts, cards, telephones.

One table for redaction and for the offline audit.
"""

from __future__ import annotations

import re

PERSONAL = {
    "email": re.compile(
        r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
    ),
    "iban": re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])"),
    "card": re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"),
    "phone": re.compile(
        r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?|\(?0\d{1,5}\)?[ /.-]?|\(\d{3}\) ?)\d(?:[ ./-]?\d){5,12}(?![\w-])"
    ),
}


def checks_out(kind: str, text: str) -> bool:
    """Whether digits that look like a card or an account have the right check digits."""
    if kind == "card":
        digits = [int(c) for c in reversed(text) if c.isdigit()]
        # Luhn: every second digit from the right counts double, less nine where that has two digits.
        return sum(d if i % 2 == 0 else 2 * d - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0
    if kind == "iban":
        compact = text.replace(" ", "")
        return len(compact) >= 15 and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1
    return True
