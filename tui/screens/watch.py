"""Watching the handler's files: after each edit the finding's repro runs again, then the whole search.

Each round has processes of its own, since those of the last one hold the program as it was before the edit.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ...replay.report import Finding, Result
from ..kept import repro_job, same_crossing
from ..watching import Round, gone_in_words, part, stamps, watched_files

if TYPE_CHECKING:
    from textual.worker import Worker

    from ...replay.worker.job import Job
    from ..watching import Stamps
    from .main import MainScreen

EVERY_S = 0.4


class Watch:
    """Looks at the files until it is stopped. `finding` is the one whose repro runs first; it stays when it is fixed,
    so that an edit which brings it back is seen at once."""

    def __init__(self, screen: MainScreen, finding: Finding | None) -> None:
        self._screen = screen
        self._finding = finding
        self._round: Round | None = None
        self._before: Round | None = None
        self._gone = ""
        self._going: Worker[None] | None = None
        self.files = watched_files(screen.session, screen.known.result)

    def start(self) -> None:
        self._going = self._screen.run_worker(self._go(), exit_on_error=False, group="watch")

    def stop(self) -> None:
        if self._going is not None:
            self._going.cancel()

    def lines(self) -> str:
        """What is shown of it: the rounds, the last one last; a file that is gone in the place of the one before."""
        if self._gone:
            return "\n".join((*((self._round.line(),) if self._round is not None else ()), self._gone))
        if self._round is None:
            count = len(self.files)
            return f"watching {count} file{'' if count == 1 else 's'}: save an edit, w stops"
        return "\n".join(each.line() for each in (self._before, self._round) if each is not None)

    async def _go(self) -> None:
        """Wait for edits and make a round of each; an edit amid a round ends it, and begins the next."""
        seen = await asyncio.to_thread(stamps, self.files)
        self._miss(seen)
        self._screen.show_watch()
        under_way: asyncio.Task[None] | None = None
        try:
            while True:
                seen = await self._changed(seen)
                if under_way is not None:
                    under_way.cancel()
                    await asyncio.gather(under_way, return_exceptions=True)
                under_way = asyncio.create_task(self._make_round())
        finally:
            if under_way is not None:
                under_way.cancel()

    async def _changed(self, seen: Stamps) -> Stamps:
        """The new state of the files, once they have stopped changing and all are there that were before."""
        last = seen
        while True:
            await asyncio.sleep(EVERY_S)
            now = {**dict.fromkeys(self.files), **await asyncio.to_thread(stamps, self.files)}
            known = {file: seen.get(file, now[file]) for file in now}
            if now == last:
                self._miss(now)
                if now != known and None not in now.values():
                    return now
            last = now

    def _miss(self, now: Stamps) -> None:
        """Say which files are not there."""
        gone = gone_in_words([file for file, stamp in now.items() if stamp is None], self._screen.session.options.cwd)
        if gone != self._gone:
            self._gone = gone
            self._screen.show_watch()

    async def _make_round(self) -> None:
        self._before = self._round
        number = 1 if self._before is None else self._before.number + 1
        self._round = Round(number, time.strftime("%H:%M:%S"))
        self._say("stopping what runs")
        await self._screen.edited()
        if self._finding is not None:
            job = repro_job(self._screen.session, self._finding)
            if not isinstance(await self._part("repro", job, shown=False), Result):
                return
        result = await self._part("search", self._screen.session.job("check"), shown=True)
        if isinstance(result, Result):
            self._follow(result)

    async def _part(self, what: str, job: Job, *, shown: bool) -> Result | Exception:
        self._say(what)
        begun = time.monotonic()
        outcome = await self._screen.outcome_of(job, shown=shown)
        assert self._round is not None
        done = (*self._round.done, part(what, outcome, time.monotonic() - begun))
        self._round = replace(self._round, done=done)
        self._say("")
        return outcome

    def _say(self, running: str) -> None:
        assert self._round is not None
        self._round = replace(self._round, running=running)
        self._screen.show_watch()

    def _follow(self, result: Result) -> None:
        """The same finding as it is after the edit, else another one that the search has found."""
        if result.findings:
            old = self._finding
            same = (f for f in result.findings if old is not None and same_crossing(f.crossing, old.crossing))
            self._finding = next(same, result.findings[0])
        self.files = tuple(dict.fromkeys((*self.files, *watched_files(self._screen.session, result))))
