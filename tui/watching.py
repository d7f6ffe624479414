"""The files that a watch looks at, and how a round of it is said. The round itself is of `screens.watch`.

Files are polled by their time and size: no dependency, and the same on every platform and file system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .safe_text import safe
from .words import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..replay.report import Crossing, Result
    from .session import OpenSession

Stamps = dict["Path", tuple[int, int] | None]
_MOST = 500


def watched_files(session: OpenSession, result: Result | None) -> tuple[Path, ...]:
    """The handler's file, and those that the events of the result and its crossings name."""
    handler = [place.rpartition(":")[0] for place in _handler_files(session.handler or "")]
    named = [f"{file}:1" for file in handler]
    if result is not None:
        for crossing in result.report.crossings:
            named += _of_crossing(crossing)
        runs = (result.run, *(finding.run for finding in result.findings), *result.solo.values())
        named += [event.at for run in runs for event in run.events if event.at]
    # The handler's own file counts also where it is gone, which is to be said; a module's only where a run was in it.
    own = handler if len(handler) == 1 else {place.rpartition(":")[0] for place in named[len(handler) :]} & {*handler}
    files: dict[Path, None] = {}
    for at in dict.fromkeys(place.rpartition(":")[0] for place in named):
        path = session.options.cwd / at
        if (path.is_file() or (at in own and not path.exists())) and len(files) < _MOST:
            files.setdefault(path.absolute())
    return tuple(files)


def stamps(files: Iterable[Path]) -> Stamps:
    """Time and size of each; None for one that is not there, as while an editor puts a new one in its place."""
    found: Stamps = {}
    for file in files:
        try:
            about = file.stat()
        except OSError:
            found[file] = None
        else:
            found[file] = (about.st_mtime_ns, about.st_size)
    return found


def gone_in_words(gone: Sequence[Path], cwd: Path) -> str:
    """`agent.py is gone: …`, or nothing."""
    if not gone:
        return ""
    cwd = cwd.absolute()
    names = [safe(str(file.relative_to(cwd) if file.is_relative_to(cwd) else file), 100) for file in gone]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    are = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(names[:3])}{more} {are} gone: no verdict until {'it is' if len(names) == 1 else 'they are'} back"
    )


def _handler_files(handler: str) -> Iterable[str]:
    """As places: a file is named itself, a module by its dots."""
    place = handler.rpartition(":")[0]
    if place.endswith(".py"):
        return (f"{place}:1",)
    path = place.replace(".", "/")
    return (f"{path}.py:1", f"{path}/__init__.py:1")


def _of_crossing(crossing: Crossing) -> list[str]:
    places = [access.at for access in (crossing.write, crossing.read) if access is not None]
    if crossing.carrier is not None and crossing.carrier.defined_at:
        places.append(crossing.carrier.defined_at)
    return places


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one edit. `clock` is when it was seen, `done` each part of it in words, `running` what goes on."""

    number: int
    clock: str
    done: tuple[str, ...] = ()
    running: str = ""

    def line(self) -> str:
        parts = (*self.done, f"{self.running} …") if self.running else self.done
        return f"round {self.number}  {self.clock}  {'   '.join(parts)}"


def part(what: str, outcome: Result | Exception, seconds: float) -> str:
    """How one part of a round ended: its glyph, verdict and time, or the error in a line."""
    if isinstance(outcome, Exception):
        return f"✖ {safe(str(outcome), 300)}"
    glyph = outcome.report.verdict
    verdict: str = glyph
    if any(warning.startswith("followed as far") for warning in outcome.report.warnings):
        verdict = f"{verdict}, diverged"  # the edited program no longer fits the schedule to its end
    return f"{VERDICTS[glyph]} {what} {verdict} {seconds:.1f} s"
