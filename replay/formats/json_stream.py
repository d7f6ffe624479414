"""The elements of a list inside a JSON document, one at a time: for documents that do not fit into memory.

Only brackets and strings are looked at here, and each element is decoded on its own by `json`. So an element that is
no JSON, no UTF-8, or nested without end costs only itself, which a parser of the whole document cannot give.
"""

from __future__ import annotations

import json
import re
from typing import IO, TYPE_CHECKING

from .found import TOO_LONG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

# A string that the buffer cuts off ends in nothing, and is looked at again with more of it.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)'
_INSIDE = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)
_BETWEEN = re.compile(rb"[\[\]{},]|" + _STRING, re.DOTALL)
_NAMED = re.compile(rb"[\[\]{},:]|" + _STRING, re.DOTALL)
_AT_ONCE = 1 << 18
_LARGEST = 512 << 20


class Broken(ValueError):  # noqa: N818 - the document is
    """The document ends inside the list, or an element is larger than any that could be used."""


class NoJson(ValueError):  # noqa: N818 - the element is
    """An element is no JSON. Its text is the reason, and quotes nothing of it."""


def elements(stream: IO[bytes], path: tuple[str, ...]) -> Iterator[bytes]:
    """The bytes of each element of the list under these names, () for a document that is a list.

    Raises:
        Broken: after the elements that came before the place where it is.
    """
    window = _Window(stream)
    if not _found(window, tuple(json.dumps(name).encode() for name in path)):
        return
    depth = 0
    while True:
        token = window.bracket() if depth else window.token(_BETWEEN)
        if token is None:
            raise Broken
        if token in b"[{":
            depth += 1
        elif depth and token in b"]}":
            depth -= 1
        elif token in b",]":
            element = window.cut()
            if element:
                yield element
            if token == b"]":
                return
        elif token == b"}":
            raise Broken


def value_of(element: bytes) -> Json:
    """The value of an element; what is not UTF-8 in it is replaced.

    Raises:
        NoJson: it has none.
    """
    try:
        return json.loads(element.decode("utf-8", "replace"))
    except RecursionError:
        raise NoJson("is nested too deeply") from None
    except json.JSONDecodeError:
        raise NoJson("is not JSON") from None
    except ValueError:
        raise NoJson(TOO_LONG) from None


def _found(window: _Window, names: tuple[bytes, ...]) -> bool:
    """Whether there is a list under these names; the window then stands behind its bracket."""
    depth = matched = 0
    name: bytes | None = None
    is_value = False
    while (token := window.token(_NAMED, strings=True)) is not None:
        window.skip()
        if token == b":":
            is_value = True
        elif token == b",":
            name, is_value = None, False
        elif token in b"[{":
            if matched == len(names) == depth:
                return token == b"["
            if is_value and depth == matched + 1 and name == names[matched]:
                matched += 1
                if matched == len(names):
                    return token == b"["
            depth += 1
            name, is_value = None, False
        elif token in b"]}":
            depth -= 1
            matched = max(0, min(matched, depth - 1))
            if depth <= 0:
                return False
        elif not is_value:
            name = token
    return False


class _Window:
    """The part of a document that is looked at: from the start of an element to the end of what was read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer = b""
        self._start = 0
        self._at = 0

    def token(self, pattern: re.Pattern[bytes], strings: bool = False) -> bytes | None:
        """The next bracket, separator or, if wanted, string; None at the end."""
        while True:
            for match in pattern.finditer(self._buffer, self._at):
                closing = match[1]
                if closing is None or (strings and closing == b'"'):
                    self._at = match.end()
                    return match[0]
                if closing != b'"':
                    self._at = match.start()
                    break
            else:
                self._at = len(self._buffer)
            if not self._more():
                return None

    def bracket(self) -> bytes | None:
        """The next bracket, past all else in one step; None at the end."""
        while (match := _INSIDE.match(self._buffer, self._at)) is None:
            if not self._more():
                return None
        self._at = match.end()
        return match[1]

    def skip(self) -> None:
        """What was read is part of no element."""
        self._start = self._at

    def cut(self) -> bytes:
        """What stands between the last cut and the token that was just read, without blanks."""
        element = self._buffer[self._start : self._at - 1].strip()
        self._start = self._at
        return element

    def _more(self) -> bool:
        left = len(self._buffer) - self._start
        if left > _LARGEST:
            return False
        # As much again as there is, so that a long element is not looked at over and over.
        part = self._stream.read(max(_AT_ONCE, left))
        self._buffer = self._buffer[self._start :] + part
        self._at -= self._start
        self._start = 0
        return bool(part)
