"""The messages in one direction of a websocket (RFC 6455), read beside bytes that pass as they are.

No extension is negotiated through the proxy, so a message is what its frames hold. One that is not in order ends the
reading, never the passing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT, _CLOSE = 1, 8


class Messages:
    """Finds messages; of one that is longer than `most` only so much.

    Attributes:
        closed: whether this side has said goodbye.
    """

    def __init__(self, most: int) -> None:
        self.closed = False
        self._most = most
        self._data = bytearray()
        self._message = bytearray()
        self._text = False
        self._frame: _Frame | None = None
        self._broken = False

    def feed(self, data: bytes) -> Iterator[str | bytes]:
        """The messages that end in the next bytes."""
        if not self._broken:
            self._data += data
        while not self._broken and (self._frame is not None or self._begins()):
            frame = self._frame
            assert frame is not None
            part = self._data[: frame.left]
            del self._data[: len(part)]
            if not frame.control and len(self._message) < self._most:
                self._message += frame.unmasked(part)
            frame.took(len(part))
            if frame.left:
                return
            self._frame = None
            if frame.final and not frame.control:
                message, self._message = bytes(self._message[: self._most]), bytearray()
                yield message.decode("utf-8", "backslashreplace") if self._text else message

    def _begins(self) -> bool:
        """Whether the header of the next frame is there."""
        data = self._data
        if len(data) < 2:
            return False
        size = data[1] & 0x7F
        more = 2 if size == 126 else 8 if size == 127 else 0
        begin = 2 + more + (4 if data[1] & 0x80 else 0)
        if len(data) < begin:
            return False
        code = data[0] & 0x0F
        if data[0] & 0x70:  # an extension, though none was agreed on
            self._broken = True
            return False
        left = int.from_bytes(data[2 : 2 + more], "big") if more else size
        self._frame = _Frame(left, bytes(data[2 + more : begin]), code >= _CLOSE, bool(data[0] & 0x80))
        del data[:begin]
        if code == _CLOSE:
            self.closed = True
        elif 0 < code < _CLOSE:
            self._text = code == _TEXT
        return True


class _Frame:
    """One frame as far as it has come."""

    __slots__ = ("_at", "_mask", "control", "final", "left")

    def __init__(self, left: int, mask: bytes, control: bool, final: bool) -> None:
        self.left = left
        self.control = control
        self.final = final
        self._mask = mask
        self._at = 0

    def unmasked(self, part: bytearray) -> bytes | bytearray:
        size = len(part)
        if not self._mask or not size:
            return part
        turned = self._mask[self._at % 4 :] + self._mask[: self._at % 4]
        keys = (turned * (size // 4 + 1))[:size]
        return (int.from_bytes(part, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")

    def took(self, size: int) -> None:
        self.left -= size
        self._at += size
