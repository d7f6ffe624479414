"""What is known of the program as it is: the last result, the interleavings that were tried, and which is in the lanes.

It decides what a result shows. The panels draw it, and the keys of the main screen go through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .safe_text import safe
from .session import recorded_run
from .showing import Showing, Shown, showing
from .views import asks_the_same, views_of

if TYPE_CHECKING:
    from ..replay.report import Finding, Result
    from ..replay.run import Run
    from ..replay.trace.model import Exchange, Trace
    from ..replay.worker.job import Job
    from .session import OpenSession
    from .tried import Tried, TriedRuns


_OUTCOMES = {
    "clean": "this run is clean",
    "crossing": "this run crosses",
    "inconclusive": "this run is inconclusive",
    "unknown": "this run is looked into",
}


class Known:
    """See the module.

    Attributes:
        result: of the last search, or of the last replay of the whole trace; `result_of` says which.
        shown, before: the interleaving that was last put in the lanes, and the one before it.
    """

    def __init__(self, session: OpenSession) -> None:
        assert session.trace is not None
        self._session = session
        self._trace: Trace = session.trace
        self._boundary = session.settings.boundary or "user"
        self._schedule = ""
        self._tried: TriedRuns | None = None
        self.result: Result | None = None
        self.result_of = ""
        self.shown: Tried | None = None
        self.before: Tried | None = None

    @property
    def tried(self) -> TriedRuns:
        """The interleavings that were tried with the program as it is now."""
        if self._tried is None:
            from .tried import TriedRuns

            self._tried = TriedRuns(self._session)
        return self._tried

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.result.findings if self.result is not None else ()

    # ---- what becomes known

    def learn(self, result: Result, job: Job) -> Showing:
        """What a job on the whole trace found, and what of it is shown first."""
        self.result, self.result_of = result, "search" if job.action == "check" else "replay"
        first = result.findings[0] if result.findings else None
        if job.action == "replay":
            self._schedule = "the finding's" if job.schedule is not None else job.order
            if job.order == "random" and job.schedule is None:
                self._schedule += f" {job.seed}"
            self.put(self.tried.add(self.tried.main(), result, self._schedule, job.concurrency))
            return self.of_result(first, result.run)
        self._schedule = "of the finding" if first is not None else "lockstep"
        self.put(self.tried.add_search(result, job.concurrency))
        return self.of_result(first, first.run if first is not None else result.run)

    def learn_smaller(self, finding: Finding, searched: Result) -> Finding:
        """The smallest finding of a search that shows the same as this one, which it takes the place of; or itself."""
        from .kept import with_smaller

        assert self.result is not None
        self.result, best = with_smaller(self.result, finding, searched)
        if best is not finding:
            self.tried.add_search(self.result, None)
        return best

    def put(self, tried: Tried | None) -> None:
        """This one is in the lanes now."""
        if tried is not None and tried is not self.shown:
            self.shown, self.before = tried, self.shown

    # ---- what is shown of it

    def recorded(self) -> Showing:
        """The traffic as it was recorded.

        Raises:
            CrosslaneError: a request of it belongs to no lane.
        """
        return self._showing(Shown(recorded_run(self._trace, self._boundary), "recorded", "lanes, as recorded"))

    def of_result(self, finding: Finding | None, run: Run) -> Showing:
        """A run of the result, with one of its findings."""
        if finding is not None and run is finding.run:
            self.put(self.tried.of(finding))
        return self._showing(Shown(run, self._schedule, "lanes", finding, self.findings))

    def of_tried(self, tried: Tried) -> Showing:
        """An interleaving that was executed by itself, from where it parts from the one before it."""
        from .interleavings import GLYPHS
        from .tried import parting_row

        assert tried.run is not None
        self.put(tried)
        schedule = safe(tried.name or tried.origin)
        of_result = self.result is not None and tried.run is self.result.run
        outcome = "" if of_result else f"{GLYPHS[tried.verdict]} {_OUTCOMES[tried.verdict]}"
        shown = Shown(tried.run, schedule, f"lanes  {tried.title}", tried.finding, self.findings, outcome)
        if tried.finding is not None or self.before is None:
            return self._showing(shown)
        return self._showing(shown, parting_row(tried.run, self.before.decisions))

    def of_unjudged(self, run: Run, origin: str) -> Showing:
        """A run that was executed by itself, and of which it is not known yet what came of it."""
        from .interleavings import GLYPHS
        from .tried import parting_row

        heading = f"lanes  {GLYPHS['unknown']} {safe(origin, 120)}"
        shown = Shown(run, safe(origin), heading, outcome=f"{GLYPHS['unknown']} {_OUTCOMES['unknown']}")
        return self._showing(shown, parting_row(run, self.shown.decisions) if self.shown is not None else None)

    def _showing(self, shown: Shown, row: int | None = None) -> Showing:
        views = views_of(shown.run, self.solo(shown.run, shown.finding), self._trace, self._boundary)
        return showing(shown, tuple(views), row)

    # ---- what belongs to a run

    def as_tried(self, run: Run, finding: Finding | None) -> Tried | None:
        """The interleaving that a run is; None for one that is not among them."""
        shown = self.shown
        if shown is None or shown.run is run or any(known is finding for known in shown.found):
            return shown
        return None

    def solo(self, run: Run, finding: Finding | None) -> dict[str, Run]:
        """Each of its lanes, alone."""
        tried = self.as_tried(run, finding)
        if tried is not None:
            return tried.solo
        return self.result.solo if self.result is not None else {}

    def exchanges(self, run: Run, finding: Finding | None) -> tuple[Exchange, ...]:
        """Its requests, with what was recorded of them: a finding keeps its requests alone."""
        recorded, tried = self._trace.exchanges, self.as_tried(run, finding)
        if tried is None:
            return recorded
        of = {same.request.id: same for same in recorded}
        own = ((each, of.get(each.request.id, each)) for each in tried.group.exchanges)
        return tuple(known if asks_the_same(each, known) else each for each, known in own)

    def neighbour(self, finding: Finding | None, by: int) -> Finding:
        """The finding after this one of the result, or before it, around the end; the first for one of another run."""
        findings = self.findings
        if finding is None or not any(known is finding for known in findings):
            return findings[0]
        return findings[(findings.index(finding) + by) % len(findings)]
