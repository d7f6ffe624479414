"""The errors Crosslane raises on purpose.

A message has three parts: what happened, where (file:line, record, lane), and what to do next. They are raised where
that is known and rendered once, at the edge, as one line and an exit code.
"""

from __future__ import annotations


class CrosslaneError(Exception):
    """Bad input or usage (exit code 2). `str(error)` is the whole line to show."""

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.line())

    def line(self) -> str:
        where = f"{self.where}: " if self.where else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.what}{remedy}"


class TraceError(CrosslaneError):
    """A trace that cannot be read at all: no such file, not a trace, a version of the future."""


class HandlerError(CrosslaneError):
    """A handler that cannot be loaded or called: no such file or attribute, an import that fails, a wrong signature."""


class HandlerBlockedInC(HandlerError):  # noqa: N818 - says what happened
    """The handler stands in C code and gives no sign of life. `where` comes from the stack it is made to dump."""

    def __init__(self, silent_s: float, where: str = "") -> None:
        super().__init__(
            f"the handler blocks inside C code and never gives control back (no sign of life in {silent_s:.0f} s)",
            where,
            "replace the blocking call, or raise --blocked-after",
        )


class StateEscaped(CrosslaneError):  # noqa: N818 - a change of plan, no error of the user
    """State outlived putting back. The worker's process is no longer fresh; the client starts another.

    `where` names, one a line, what could be put back once it is known; where that is empty, only a fork will do.
    """


class ScheduleError(CrosslaneError):
    """A schedule that does not fit: an unknown lane, or a strict replay that diverged."""


class SettingsError(CrosslaneError):
    """A settings file that cannot be read, or a setting that is none."""


class WorkerError(CrosslaneError):
    """The worker process could not be started, or died: what it last said is in the message."""


class BaselineError(CrosslaneError):
    """A baseline that cannot be read or written."""


class ExportError(CrosslaneError):
    """A finding that cannot be exported: no such report, no such finding in it."""


class RedactionError(CrosslaneError):
    """A redaction rule that cannot be read, or a key or file that cannot be used for redacting."""
