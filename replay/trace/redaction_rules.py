"""What is to be redacted: the defaults, and the user's own rules as the command line writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..errors import RedactionError
from .secrets import SECRET_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("email", "phone", "card", "iban")
_WAY = "write it like header:X-Tenant, json:$.user.email, pattern:ACC-\\d+ or kind:email"
# A repeat inside a repeat can take exponential time on a text that nearly matches.
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*(?<!\\)[+*}](?:[^()\\]|\\.)*\)[+*{]")
_STEP = r"(?:\.([^.\[\]\s'\"$]+)|\[(\*|\d+)\]|\['([^']+)'\]|\[\"([^\"]+)\"\])"
_LONGEST_PATTERN = 500


Sought: TypeAlias = "str | tuple[str, ...] | re.Pattern[str]"
"""What a rule looks for: a header by its name in lower case, a path, a pattern, or a kind as it was written."""


@dataclass(frozen=True, slots=True)
class RedactionRules:
    """What to replace.

    Attributes:
        headers: names in lower case.
        secrets: whether known token shapes and the values of keys such as `password` are replaced.
        paths: into JSON bodies, each step a key, an index or `*`.
        kinds: of `KINDS`.
        asked: each rule as the user wrote it, with what it looks for.
    """

    headers: frozenset[str] = SECRET_HEADERS
    secrets: bool = True
    paths: tuple[tuple[str, ...], ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    kinds: frozenset[str] = frozenset()
    asked: tuple[tuple[str, Sought], ...] = ()

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
    asked: list[tuple[str, Sought]] = []
    for text in texts:
        what, _, value = text.partition(":")
        if what == "header" and value:
            headers.add(value.lower())
            asked.append((text, value.lower()))
        elif what == "json" and value:
            paths.append(_path(value))
            asked.append((text, paths[-1]))
        elif what == "pattern" and value:
            patterns.append(_pattern(value))
            asked.append((text, patterns[-1]))
        elif what == "kind" and value in KINDS:
            kinds.add(value)
            asked.append((text, text))
        elif what == "kind":
            raise RedactionError(f"no kind {value[:20]!r}", "--redact", f"known: {', '.join(KINDS)}")
        else:
            raise RedactionError(f"cannot read the rule {text[:40]!r}", "--redact", _WAY)
    return RedactionRules(frozenset(headers), defaults, tuple(paths), tuple(patterns), frozenset(kinds), tuple(asked))


def _path(text: str) -> tuple[str, ...]:
    steps = text[1:] if text.startswith("$") else text if text.startswith("[") else f".{text}"
    if re.fullmatch(f"{_STEP}+", steps) is None:
        raise RedactionError(
            f"cannot read the path {text[:40]!r}", "--redact", "write it like json:$.user.email or json:$.items[*].name"
        )
    return tuple("".join(step) for step in re.findall(_STEP, steps))


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
