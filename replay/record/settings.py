"""How to record, as data: the same in the process that is recorded and in the one that writes."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..trace.identity import Rules
from ..trace.live_redaction import LiveRedactor
from .recorder import Recorder
from .writer import Limits, part_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .recorder import Note
    from .writer import Origin


@dataclass(frozen=True, slots=True)
class Settings:
    """What a recorder is made of.

    Attributes:
        path: the trace.
        source: for the header: `proxy`, `asgi`, `aiohttp` or `wsgi`.
        session, user: places to look at first, such as `header:x-tenant`.
        redact: rules beside those that always hold (`json:$.email`); None keeps secrets.
        header: further members of the header line.
        shared: several processes record side by side, each into a part of its own.
    """

    path: str
    source: str = ""
    session: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    redact: tuple[str, ...] | None = ()
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    limits: Limits = field(default_factory=Limits)
    shared: bool = False

    def recorder(
        self,
        *,
        told: Callable[[Note], None] | None = None,
        before_each: Callable[[], None] | None = None,
        origin: Origin | None = None,
        now: Callable[[], int] | None = None,
    ) -> Recorder:
        """A recorder that works in this process.

        Raises:
            OSError: the file cannot be created. SettingsError, RedactionError: a place, a rule or the key.
        """
        return Recorder(
            self.path,
            rules=Rules(self.session, self.user),
            source=self.source,
            redact=None if self.redact is None else LiveRedactor(self.redact),
            header=self.header,
            limits=self.limits,
            shared=self.shared,
            told=told,
            before_each=before_each,
            origin=origin,
            now=now,
        )

    def check(self) -> None:
        """See whether a recorder can be made, here where the user is told.

        Raises:
            OSError: the file cannot be created. SettingsError, RedactionError: a place, a rule or the key.
        """
        Rules(self.session, self.user)
        if self.redact is not None:
            LiveRedactor(self.redact)
        path = Path(self.path)
        file = part_of(path, os.getpid(), 0) if self.shared else path
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))

    def to_data(self) -> dict[str, Any]:
        """The settings as built-in types, for a process in another directory."""
        return {**asdict(self), "path": str(Path(self.path).absolute())}

    @staticmethod
    def from_data(data: dict[str, Any]) -> Settings:
        members: dict[str, Any] = {**data, "limits": Limits(**data["limits"])}
        return Settings(**members)
