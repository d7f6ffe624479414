"""What is to be redacted: the defaults, and the user's own rules as the command line writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RedactionError
from .secrets import SECRET_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("email", "phone", "card", "iban")
_WAY = "write it like header:X-Tenant, json:$.user.email, pattern:ACC-\\d+ or kind:email"
# A repeat inside a repeat can take exponential time on a text that nearly matches.
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*(?<!\\)[+*}](?:[^()\\]|\\.)*\)[+*{]")
_LONGEST_PATTERN = 500


@dataclass(frozen=True, slots=True)
class RedactionRules:
    """What to replace.

    Attributes:
        headers: names in lower case.
        secrets: whether known token shapes and the values of keys such as `password` are replaced.
        paths: into JSON bodies, each step a key, an index or `*`.
        kinds: of `KINDS`.
    """

    headers: frozenset[str] = SECRET_HEADERS
    secrets: bool = True
    paths: tuple[tuple[str, ...], ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    kinds: frozenset[str] = frozenset()

    def fields(self) -> list[str]:
        """The rules as a header line says them. A pattern may hold what it looks for, so only their number is told."""
        told = [f"header:{name}" for name in sorted(self.headers)]
        told += ["secrets"] if self.secrets else []
        told += [f"json:$.{'.'.join(path)}" for path in self.paths]
        told += [f"kind:{kind}" for kind in sorted(self.kinds)]
        return told + [f"patterns:{len(self.patterns)}"] * bool(self.patterns)


def rules_of(texts: Iterable[str], defaults: bool = True) -> RedactionRules:
    """Rules as typed by the user, on top of the defaults or in their place.

    Raises:
        RedactionError: one of them cannot be read.
    """
    headers = set(SECRET_HEADERS if defaults else ())
    paths: list[tuple[str, ...]] = []
    patterns: list[re.Pattern[str]] = []
    kinds: set[str] = set()
    for text in texts:
        what, _, value = text.partition(":")
        if what == "header" and value:
            headers.add(value.lower())
        elif what == "json" and (path := _path(value)):
            paths.append(path)
        elif what == "pattern" and value:
            patterns.append(_pattern(value))
        elif what == "kind" and value in KINDS:
            kinds.add(value)
        elif what == "kind":
            raise RedactionError(f"no kind {value[:20]!r}", "--redact", f"known: {', '.join(KINDS)}")
        else:
            raise RedactionError(f"cannot read the rule {text[:40]!r}", "--redact", _WAY)
    return RedactionRules(frozenset(headers), defaults, tuple(paths), tuple(patterns), frozenset(kinds))


def _path(text: str) -> tuple[str, ...]:
    steps = re.sub(r"\[(\*|\d+)\]", r".\1", text.removeprefix("$")).strip(".").split(".")
    return tuple(steps) if all(steps) else ()


def _pattern(text: str) -> re.Pattern[str]:
    if len(text) > _LONGEST_PATTERN or _NESTED.search(text):
        raise RedactionError(
            f"the pattern {text[:40]!r} could take forever", "--redact", "leave out the repeat inside a repeat"
        )
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise RedactionError(f"the pattern {text[:40]!r} is no regular expression: {error}", "--redact") from None
    if pattern.fullmatch("") is not None:
        raise RedactionError(f"the pattern {text[:40]!r} matches nothing at all", "--redact", "let it match something")
    return pattern
