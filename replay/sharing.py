"""A search in several processes: one leads, the others scout a share of each stage for it.

A scout explains nothing. It reports the executions from which the search would have learned something, each with its
place in the order of the search. The leader scouts its own share meanwhile, then looks at all of these in that order:
it comes to the findings of a search that is not shared, because no other execution would have told it anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .attempts import part_of, search_of, variant_attempts
from .baselines import run_alone
from .detect.influence import element
from .errors import StateEscaped
from .schedule.schedule import Schedule
from .schedule.search import NOTHING
from .schedule.share import Order, Share, order_of
from .schedule.strategies import Replayed, Serial
from .scouted import Hit, Scouted
from .state.fresh import Interrupted
from .variants import variants_of
from .worker.job import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .attempts import Attempt, Stage
    from .investigation import Investigation
    from .pursuit import Pursuit
    from .schedule.execute import Execution
    from .schedule.search import Search
    from .worker.job import Job

VARIANTS = "variants"
_WORTH_S = 1.0
"""With no more of the budget left than this, no other worker would be ready in time."""


class Partners(Protocol):
    """The other workers, by way of the client."""

    def share(self, stage: dict[str, Any]) -> None:
        """Give each its share; `stage` has members of a `Job`."""
        ...

    def reports(self) -> list[dict[str, Any]]:
        """Wait for what they report: the JSON of a `Scouted`, or `{"failed": "…"}`."""
        ...


@dataclass(slots=True)
class Scout:
    """Looks at executions for an investigation that is not to know yet."""

    on: Investigation
    variant: int = -1
    hits: list[Hit] = field(default_factory=list[Hit])
    _confirmed: frozenset[tuple[Any, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._confirmed = self.on.confirmed()

    @property
    def known(self) -> tuple[str, ...]:
        """What has crossed and where, whichever of a user's words it was, for `Reached.found`: answers that grow with
        every request would show other words to no end."""
        return tuple(sorted({repr((*of, element(path), faults)) for *of, path, _, faults in self._confirmed}))

    def look(self, attempt: Attempt, execution: Execution) -> None:
        learned = self.on.learned()
        self.on.look(execution, attempt.lanes)
        if self.on.learned() != learned:
            before, self._confirmed = self._confirmed, self.on.confirmed()
            names = tuple(lane.name for lane in attempt.lanes)
            schedule = execution.schedule
            new = tuple(sorted(self._confirmed - before, key=repr))
            self.hits.append(Hit(attempt.order, self.variant, names, schedule.names, schedule.faults, new))


def _all_news(job: Job) -> bool:
    """Whether whatever crosses is a finding: an allowed or known crossing must not end a search that may be clean."""
    return not job.allow and not job.known


def scout(pursuit: Pursuit, investigation: Investigation) -> Scouted:
    """Make one share of one stage of a search.

    Raises:
        StateEscaped: as `check` does.
    """
    program, job, reached = pursuit.program, pursuit.job, pursuit.reached
    search = search_of(investigation.lanes, Share(job.shard, job.shards, False, order_of(job.after)))
    scouts: list[Scout] = []

    def look(attempt: Attempt, execution: Execution) -> None:
        scouts[-1].look(attempt, execution)
        if _all_news(job):
            pursuit.found = (*job.found, *scouts[-1].known)

    try:
        pursuit.announce("each lane alone", investigation)
        run_alone(investigation, pursuit.nearly_in_time)
        if job.stage != VARIANTS:
            scouts.append(Scout(investigation.scout()))
            tries = part_of(job.stage, investigation, search, job, reached)
            if not investigation.stopped:
                pursuit.follow(investigation, tries, look)
        else:
            for number, other in enumerate(variants_of(investigation)):
                if search.share.has(number, (number,)):
                    other.run_alone()
                    scouts.append(Scout(other.scout(), number))
                    tries = variant_attempts(other, job, reached, (number,))
                    if not pursuit.follow(other, tries, look):
                        break
        program.fresh.prove()
        hits = any(scout.hits for scout in scouts)
        if not hits and not investigation.stopped and not program.fresh.forking and not investigation.still_fresh():
            raise StateEscaped("state outlives being put back")
    except Interrupted:
        reached.interrupted = True
    known = [investigation, *(scout.on for scout in scouts)]
    return Scouted(
        tuple(hit for scout in scouts for hit in scout.hits),
        search.part,
        program.executions,
        reached.schedules,
        reached.random,
        reached.pairs,
        reached.faults,
        tuple(reached.variants),
        reached.cut,
        reached.out_of_budget,
        reached.interrupted,
        scouts[0].on.stopped if job.stage != VARIANTS and scouts else investigation.stopped,
        tuple(dict.fromkeys(escape for on in known for escape in on.uncontrolled)),
        tuple(dict.fromkeys(warning for on in known for warning in on.warnings)),
    )


class Leader:
    """Follows the stages of a search, alone as long as that is quicker, and then with the partners there are."""

    def __init__(
        self, pursuit: Pursuit, investigation: Investigation, search: Search, partners: Partners | None
    ) -> None:
        self._pursuit = pursuit
        self._investigation = investigation
        self._search = search
        self._partners = partners
        self._variants: dict[int, Investigation] = {}
        self._scouts: dict[int, Scout] = {}
        self._shared = False
        # A search that is over in the time that another worker needs to get ready is not shared.
        ready_s = pursuit.program.loading_s + pursuit.elapsed_s
        alone_s = pursuit.job.alone_s and max(pursuit.job.alone_s, ready_s)
        self._alone_until_s = pursuit.elapsed_s + alone_s

    def follow(self, stage: Stage) -> bool:
        """Make the attempts of a stage and learn from them; False when time is up."""
        return self._stage(stage.name, stage.shared, stage.systematic, stage.after, lambda: self._make(stage))

    def follow_variants(self) -> bool:
        """The same for requests that were not recorded."""
        return self._stage(VARIANTS, True, False, (), self._make_variants)

    def _make(self, stage: Stage) -> bool:
        return self._pursuit.follow(self._investigation, stage.attempts, self._looking(self._investigation, -1, stage))

    def _make_variants(self) -> bool:
        pursuit = self._pursuit
        for number, other in enumerate(variants_of(self._investigation)):
            if self._search.share.holds(number):
                self._variants[number] = other
                other.run_alone()
                tries = variant_attempts(other, pursuit.job, pursuit.reached, (number,))
                if not pursuit.follow(other, tries, self._looking(other, number, None)):
                    return False
        return True

    def _stage(self, name: str, shareable: bool, systematic: bool, after: Order, make: Callable[[], bool]) -> bool:
        if shareable and not self._search.share.alone:
            self._hand_out(name, after)
        interrupted = False
        try:
            in_time = make()
        except Interrupted:
            interrupted = True
            in_time = False
        if self._shared:
            in_time = self._gather(systematic) and in_time
        if interrupted:
            raise Interrupted
        return in_time

    def _looking(self, on: Investigation, variant: int, stage: Stage | None) -> Callable[[Attempt, Execution], None]:
        name = VARIANTS if stage is None else stage.name
        shareable = stage is None or stage.shared

        def look(attempt: Attempt, execution: Execution) -> None:
            if self._shared:
                if variant not in self._scouts:
                    self._scouts[variant] = Scout(on.scout(), variant)
                self._scouts[variant].look(attempt, execution)
                if _all_news(self._pursuit.job):
                    self._pursuit.found = self._scouts[variant].known
                return
            on.look(execution, attempt.lanes)
            if shareable and self._worth_sharing():
                self._hand_out(name, attempt.order)

        return look

    def _worth_sharing(self) -> bool:
        pursuit = self._pursuit
        if self._partners is None or pursuit.job.shards == 1 or pursuit.program.interrupted() or pursuit.reached.quiet:
            return False
        if pursuit.program.files_written:
            return False  # the processes would find what each other's executions have left in the files
        return pursuit.elapsed_s >= self._alone_until_s and pursuit.job.budget_s - pursuit.elapsed_s > _WORTH_S

    def _hand_out(self, stage: str, after: Order) -> None:
        assert self._partners is not None
        job, program = self._pursuit.job, self._pursuit.program
        left = job.most_executions
        if left != NO_LIMIT:
            left = max(1, (left - program.executions) // job.shards)
            self._pursuit.most_executions = program.executions + left
        left_s = max(0.0, job.budget_s - self._pursuit.elapsed_s)
        share = {"stage": stage, "after": after, "budget_s": left_s, "most_executions": left}
        self._partners.share({**share, "found": [finding.crossing.id for finding in self._investigation.news]})
        self._search.share.alone = False
        self._shared = True

    # ---- putting it together

    def _gather(self, systematic: bool) -> bool:
        """Learn from what all have found, in the order of the search; False when their time was up."""
        assert self._partners is not None
        answers = self._partners.reports()
        self._shared = False
        self._pursuit.most_executions = self._pursuit.job.most_executions
        return self.learn(answers, systematic)

    def learn(self, answers: list[dict[str, Any]], systematic: bool) -> bool:
        """The same, of reports on a stage that are there."""
        reports = [Scouted.from_json(answer) for answer in answers if "failed" not in answer]
        self._join(reports)
        if systematic:
            parts = [report.part for report in reports]
            self._search.join([*parts, *(NOTHING for answer in answers if "failed" in answer)])
        hits = [hit for scout in self._scouts.values() for hit in scout.hits]
        hits += [hit for report in reports for hit in report.hits]
        self._scouts = {}
        self._settle(sorted(hits, key=lambda hit: hit.order))
        self._pursuit.found = ()
        investigation = self._investigation
        for report in reports:
            investigation.stopped = investigation.stopped or report.stopped
            for escape in report.uncontrolled:
                investigation.uncontrolled.setdefault(escape)
            for warning in report.warnings:
                investigation.warnings.setdefault(warning)
        for failed in (answer["failed"] for answer in answers if "failed" in answer):
            missing = f"a part of the search is missing, because its process failed: {failed}"
            investigation.stopped = investigation.stopped or missing
            investigation.warnings = {missing: None, **investigation.warnings}
        return not any(report.out_of_budget or report.interrupted for report in reports)

    def _join(self, reports: Iterable[Scouted]) -> None:
        reached = self._pursuit.reached
        for report in reports:
            self._pursuit.program.executions += report.executions
            reached.schedules += report.schedules
            reached.random += report.random
            reached.pairs += report.pairs
            reached.faults += report.faults
            reached.variants += report.variants
            reached.cut = reached.cut or report.cut
            reached.out_of_budget = reached.out_of_budget or report.out_of_budget
            reached.interrupted = reached.interrupted or report.interrupted
        reached.elapsed_s = self._pursuit.elapsed_s
        reached.per_second = self._pursuit.program.executions / reached.elapsed_s

    def _settle(self, hits: list[Hit]) -> None:
        pursuit = self._pursuit
        if hits:
            # What was found is worth explaining even to who asked to stop; asking again does stop it.
            pursuit.program.go_on()
        for hit in hits:
            if pursuit.program.interrupted():
                self._investigation.stopped = "interrupted while what was found was being looked into"
                return
            if self._investigation.findings and not pursuit.nearly_in_time():
                return
            pursuit.announce("looking into what was found", self._investigation)
            on = self._investigation if hit.variant < 0 else self._variant(hit.variant)
            by_name = {lane.name: lane for lane in on.lanes}
            lanes = tuple(by_name[name] for name in hit.lanes)
            following = Replayed(Schedule(hit.names, hit.faults), Serial(hit.lanes))
            on.looked = max(on.looked, pursuit.reached.schedules - 1)
            on.expect(hit.crossings)
            on.look(pursuit.program.execute(lanes, following, pursuit.job.concurrency), lanes)
            lost = set(hit.crossings) - on.confirmed()
            if lost:
                source, request, *_ = min(lost, key=repr)
                self._investigation.stopped = self._investigation.stopped or (
                    f"request {request} was once answered with {source}'s data, but the same schedule does not show it "
                    "again: something outside control decides"
                )

    def _variant(self, number: int) -> Investigation:
        if number not in self._variants:
            other = next(other for n, other in enumerate(variants_of(self._investigation)) if n == number)
            other.run_alone()
            self._variants[number] = other
        return self._variants[number]
