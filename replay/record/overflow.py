"""What a full pipe did not take: in memory that the recorded service and the process that writes have both open.

So nothing of it is lost when the service is killed, and nobody waits: the one appends, the other takes what it has not
taken yet as soon as the pipe is empty. Only once all is taken does the service write into the pipe again, which keeps
the order. Positions only ever grow; what was taken is given back to the system.

This module imports the standard library alone: it lives in the recorded service.
"""

from __future__ import annotations

import os
import struct
import tempfile
from typing import IO

_TAKEN = struct.Struct("<q")
_UNTOLD_AT = _TAKEN.size
_DATA_AT = 4_096
_GIVEN_BACK = 1 << 20


class Overflow:
    """The service's end.

    Args:
        most: so many bytes may wait.

    Raises:
        OSError: the system gives no memory.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._written = 0
        self._given_back = 0
        descriptor = os.memfd_create("crosslane") if hasattr(os, "memfd_create") else -1
        # Elsewhere a file without a name: in the memory of the system first, and on a disk when that is short.
        self._file: IO[bytes] = os.fdopen(descriptor, "w+b", 0) if descriptor >= 0 else _unnamed()
        os.ftruncate(self._file.fileno(), _DATA_AT)

    @property
    def descriptor(self) -> int:
        return self._file.fileno()

    @property
    def empty(self) -> bool:
        """Whether all is taken, so that the pipe comes next."""
        if self._written == self._given_back:
            return True
        if taken(self.descriptor) < self._written:
            return False
        if self._written - self._given_back >= _GIVEN_BACK:
            os.ftruncate(self.descriptor, _DATA_AT)
            self._given_back = self._written
        return True

    def put(self, data: bytes, whatever: bool = False) -> bool:
        """Append; False where there is no room. `whatever` the room is: the rest of what the pipe took in part."""
        if not whatever and self._written - taken(self.descriptor) + len(data) > self._most:
            return False
        at = self._written
        try:
            while data:
                count = os.pwrite(self.descriptor, data, _DATA_AT + at)
                at, data = at + count, data[count:]
        except OSError:
            return False
        self._written = at
        return True

    def tell_untold(self, lost: int) -> None:
        """So many events are lost that no frame has told of yet: who writes counts them if none ever does."""
        os.pwrite(self.descriptor, _TAKEN.pack(lost), _UNTOLD_AT)

    def close(self) -> None:
        self._file.close()


def _unnamed() -> IO[bytes]:
    return tempfile.TemporaryFile(buffering=0)


class Rest:
    """The other end, in the process that writes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._taken = 0

    @property
    def waits(self) -> bool:
        """Whether something has not been taken yet."""
        return os.fstat(self._descriptor).st_size - _DATA_AT > self._taken

    def take(self, most: int) -> bytes:
        """The next bytes; none where all is taken."""
        if not self.waits:
            return b""
        data = os.pread(self._descriptor, most, _DATA_AT + self._taken)
        self._taken += len(data)
        os.pwrite(self._descriptor, _TAKEN.pack(self._taken), 0)
        return data

    @property
    def untold(self) -> int:
        """How many events were lost of which no frame has told."""
        return _number(self._descriptor, _UNTOLD_AT)


def taken(descriptor: int) -> int:
    return _number(descriptor, 0)


def _number(descriptor: int, at: int) -> int:
    data = os.pread(descriptor, _TAKEN.size, at)
    return int(_TAKEN.unpack(data)[0]) if len(data) == _TAKEN.size else 0
