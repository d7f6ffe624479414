"""One form for a text, whoever wrote it: what the audit compares, on both sides.

A program may answer a name escaped as in HTML, in another Unicode form, or broken over two lines; a number that people
write in groups stands in an answer without them. Nothing here decodes more than what a reader would see as the same.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

from ..trace.personal import PERSONAL, checks_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARKS = ("  ", "\n", "\t", "\r", "&", "\v", "\f")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8}\d{0,2});")
_IN_GROUPS = re.compile(r"\d\)?[ ./-]{1,2}\(?\d")
_AROUND = 60
# A telephone number that is written in groups. Dates, times and amounts are not to look like one.
_PHONE = re.compile(
    r"(?<![\w.+/:-])(?:\+\d{1,3}(?:[ .()/-]{1,2}\d{1,9}){1,6}|\(?0\d{2,5}\)?[ /-]\d{3,9}(?:[ -]\d{2,5})?|"
    r"0\d(?:[ .-]\d\d){4}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?![\w/:-]|\.\d)"
)
_GROUPED = {"iban": PERSONAL["iban"], "card": PERSONAL["card"], "phone": _PHONE}
_BETWEEN = re.compile(r"[ .()/+-]+")
_FIRST = re.compile(r"(?:^|[._-])(?:first|given|fore)_?-?(?:names?)?$", re.IGNORECASE)
_LAST = re.compile(r"(?:^|[._-])(?:last|family|sur)_?-?(?:names?)?$", re.IGNORECASE)
_NAME_FIELD = re.compile(r"\"(?:first|given|fore|FIRST|First|Given)[\w-]*\":")
_NAME_LONG = 60


def folded(text: str) -> str:
    """A text without entities, in Unicode's compatibility form, every run of blanks one space."""
    if text.isascii() and not any(mark in text for mark in _MARKS):
        return text.strip()
    if "&" in text and ";" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if not text.isascii() and not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


def grouped_numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, without groups) of the accounts, cards and telephone numbers that are written in groups."""
    reached = looked = 0
    for between in _IN_GROUPS.finditer(text):
        if between.start() < looked - _AROUND:
            continue
        # Only around such a place: trying the shapes at every letter would cost more than all the rest of an audit.
        looked = between.end() + 3 * _AROUND
        for kind, shape in _GROUPED.items():
            for match in shape.finditer(text, max(reached, between.start() - _AROUND), looked):
                start, end = match.span()
                compact = _BETWEEN.sub("", match[0])
                grouped = compact != match[0].lstrip("+")
                if start >= reached and grouped and 9 <= len(compact) <= 34 and checks_out(kind, match[0]):
                    reached = end  # a piece of one number is none itself
                    yield start, end, compact.lower()


def searchable(text: str) -> str:
    """A text as it is searched: folded, and behind it the numbers in it without their groups."""
    text = folded(text)
    numbers = [compact for _, _, compact in grouped_numbers(text)]
    return "\n".join((text, *numbers)) if numbers else text


def may_hold_names(glance: str) -> bool:
    """Whether the JSON texts of an answer may hold a name in two members."""
    return _NAME_FIELD.search(glance) is not None


def whole_names(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(path, name) of each first and last name that are members of one object, as the name that they make."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for path, text in texts:
        holder, _, key = path.rpartition(".")
        if not 1 < len(text) <= _NAME_LONG:
            continue
        if _FIRST.search(key) or _FIRST.search(_snaked(key)):
            first[holder] = text
        elif _LAST.search(key) or _LAST.search(_snaked(key)):
            last[holder] = text
    for holder in first.keys() & last.keys():
        yield holder, f"{first[holder]} {last[holder]}"


def _snaked(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key)
