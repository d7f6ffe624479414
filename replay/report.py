"""The result of `check`: verdict, coverage, crossings. The JSON form of `Report` is a contract: scripts read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .run import Run

Verdict = Literal["contaminated", "clean", "inconclusive"]
EXIT_CODES: dict[str, int] = {"clean": 0, "contaminated": 1, "inconclusive": 3}


@dataclass(frozen=True, slots=True)
class Source:
    """Whose data it was."""

    lane: str
    session: str
    request: str


@dataclass(frozen=True, slots=True)
class Sink:
    """Who saw it, and where. `path` is like `body.reply` or `headers.x-user`; `evidence` is the foreign text."""

    lane: str
    session: str
    request: str
    where: Literal["response", "upstream", "log", "exception"]
    path: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """The shared thing: `app.current_context`, its kind in words, and where it is defined (`file:line`, or None)."""

    name: str
    kind: str
    defined_at: str | None

    @property
    def kind_in_words(self) -> str:
        """`a module global`, `an instance attribute`."""
        return f"{'an' if self.kind[:1] in 'aeiou' else 'a'} {self.kind}"


@dataclass(frozen=True, slots=True)
class Access:
    """A line that wrote or read the carrier: who, where (`file:line`), and the source line."""

    lane: str
    at: str
    code: str


@dataclass(frozen=True, slots=True)
class Needs:
    """The least it takes: `cls` is `sequential` or `interleaved` (JSON key `class`)."""

    cls: Literal["sequential", "interleaved", "cancellation", "exception"]
    switches: int
    sessions: int
    requests: int

    def to_json(self) -> dict[str, Any]:
        return {"class": self.cls, "switches": self.switches, "sessions": self.sessions, "requests": self.requests}

    def in_words(self) -> str:
        """`2 users, sequential, no overlap` or `2 users, interleaved, 1 switch`."""
        if self.cls == "sequential":
            return f"{self.sessions} sessions, sequential, no overlap"
        return f"{self.sessions} sessions, {self.cls}, {self.switches} switch{'' if self.switches == 1 else 'es'}"


@dataclass(frozen=True, slots=True)
class Critical:
    """The switch that decides: at `step`, `held` had to wait at `at` (`file:line`) while `ran` went on.

    Where `held` goes on instead, which is the schedule `passes` (a lane a step), nothing crosses."""

    step: int
    held: str
    at: str
    ran: str
    passes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Evidence that `sink.lane` observed data of `source.lane`.

    `carrier`, `write` and `read` are None where the shared thing could not be named; `explained` then says why.
    `alone` is what stands in the sink when its lane is alone (derived ones). `upstream_calls`, `upstream` and
    `upstream_allow` are those of the job; `upstream` is empty where the handler made no HTTP call. `found_after` says
    which schedule of several lanes first showed it. `schedule` lists the lane of every step: with `requests` (trace
    lines of the repro) it repeats the crossing.
    """

    id: str
    kind: Literal["verbatim", "derived"]
    source: Source
    sink: Sink
    carrier: Carrier | None
    write: Access | None
    read: Access | None
    needs: Needs
    schedule: tuple[dict[str, Any], ...]
    fix: str
    explained: str = ""
    evidence_all: tuple[str, ...] = ()
    requests: tuple[dict[str, Any], ...] = ()
    alone: str = ""
    upstream_calls: tuple[str, ...] = ()
    upstream: str = ""
    upstream_allow: tuple[str, ...] = ()
    found_after: int = 0
    critical: Critical | None = None

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["needs"] = self.needs.to_json()
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Crossing:
        needs = dict(data["needs"])
        return cls(
            id=data["id"],
            kind=data["kind"],
            source=Source(**data["source"]),
            sink=Sink(**data["sink"]),
            carrier=Carrier(**data["carrier"]) if data["carrier"] else None,
            write=Access(**data["write"]) if data["write"] else None,
            read=Access(**data["read"]) if data["read"] else None,
            needs=Needs(needs["class"], needs["switches"], needs["sessions"], needs["requests"]),
            schedule=tuple(data["schedule"]),
            fix=data["fix"],
            explained=data.get("explained", ""),
            evidence_all=tuple(data.get("evidence_all", ())),
            requests=tuple(data.get("requests", ())),
            alone=data.get("alone", ""),
            upstream_calls=tuple(data.get("upstream_calls", ())),
            upstream=data.get("upstream", ""),
            upstream_allow=tuple(data.get("upstream_allow", ())),
            found_after=data.get("found_after", 0),
            critical=_critical(data["critical"]) if data.get("critical") else None,
        )


def _critical(data: dict[str, Any]) -> Critical:
    return Critical(data["step"], data["held"], data["at"], data["ran"], tuple(data["passes"]))


@dataclass(frozen=True, slots=True)
class Allowed:
    """A crossing that a rule of the user's allows, and the rule's reason."""

    source: str
    sink: str
    path: str
    carrier: str
    reason: str

    @classmethod
    def of(cls, crossing: Crossing, reason: str) -> Allowed:
        carrier = crossing.carrier.name if crossing.carrier is not None else ""
        return cls(crossing.source.lane, crossing.sink.lane, crossing.sink.path, carrier, reason)


@dataclass(frozen=True, slots=True)
class Known:
    """A crossing that the baseline lists, and the reason given there."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Influence:
    """A lane that answered differently from when it was alone, without any foreign data in it. No contamination."""

    lane: str
    request: str
    path: str
    alone: str
    together: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was searched.

    Attributes:
        statement: one sentence for people.
        exhaustive_to_switches: every schedule with at most so many preemptions was run; None: not even serial orders.
        interior_points: for each lane, the places inside its requests where it can be suspended.
        uncontrolled: what escaped control.
    """

    statement: str
    exhaustive_to_switches: int | None
    interior_points: dict[str, int]
    uncontrolled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole result. `warnings` are remarks that are no contamination (a session that lost its own turn).

    `known` are those of the crossings that a baseline lists. `beside_known` says why nothing can be said beside them;
    it is empty where something can, and where the baseline lists nothing that was found."""

    verdict: Verdict
    reason: str
    trace: str
    handler: str
    executions: int
    elapsed_s: float
    coverage: Coverage
    crossings: tuple[Crossing, ...]
    influences: tuple[Influence, ...] = ()
    warnings: tuple[str, ...] = ()
    allowed: tuple[Allowed, ...] = ()
    known: tuple[Known, ...] = ()
    beside_known: str = ""

    @property
    def exit_code(self) -> int:
        """0 clean, 1 contaminated, 3 inconclusive; what is known does not count, and hides no other verdict."""
        if self.crossings and {crossing.id for crossing in self.crossings} <= {entry.id for entry in self.known}:
            return EXIT_CODES["inconclusive" if self.beside_known else "clean"]
        return EXIT_CODES[self.verdict]

    @property
    def doubt(self) -> str:
        """Why nothing can be said; empty where something can."""
        return (self.beside_known or self.reason) if self.exit_code == EXIT_CODES["inconclusive"] else ""

    def to_json(self) -> dict[str, Any]:
        """The contract of DESIGN: `check --format json` prints exactly this."""
        return {
            "version": 1,
            "verdict": self.verdict,
            "reason": self.reason,
            "trace": self.trace,
            "handler": self.handler,
            "executions": self.executions,
            "elapsed_s": round(self.elapsed_s, 4),
            "coverage": asdict(self.coverage),
            "crossings": [crossing.to_json() for crossing in self.crossings],
            "influences": [asdict(influence) for influence in self.influences],
            "warnings": list(self.warnings),
            "allowed": [asdict(allowed) for allowed in self.allowed],
            "known": [asdict(known) for known in self.known],
            "beside_known": self.beside_known,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        coverage = data["coverage"]
        return cls(
            verdict=data["verdict"],
            reason=data["reason"],
            trace=data["trace"],
            handler=data["handler"],
            executions=data["executions"],
            elapsed_s=data["elapsed_s"],
            coverage=Coverage(
                coverage["statement"],
                coverage["exhaustive_to_switches"],
                dict(coverage["interior_points"]),
                tuple(coverage["uncontrolled"]),
            ),
            crossings=tuple(Crossing.from_json(c) for c in data["crossings"]),
            influences=tuple(Influence(**i) for i in data["influences"]),
            warnings=tuple(data.get("warnings", ())),
            allowed=tuple(Allowed(**a) for a in data.get("allowed", ())),
            known=tuple(Known(**k) for k in data.get("known", ())),
            beside_known=data.get("beside_known", ""),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A crossing with the observed run of its minimal schedule, and where in that run it happened.

    `write_seq`, `read_seq` and `sink_seq` are `Event.seq` of the three ends of the drawn line (None: not located).
    `fixed_run` is the same schedule with the carrier kept apart for each lane: the proof that it is the cause.
    """

    crossing: Crossing
    run: Run
    write_seq: int | None
    read_seq: int | None
    sink_seq: int | None
    fixed_run: Run | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "crossing": self.crossing.to_json(),
            "run": self.run.to_json(),
            "write_seq": self.write_seq,
            "read_seq": self.read_seq,
            "sink_seq": self.sink_seq,
            "fixed_run": self.fixed_run.to_json() if self.fixed_run else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Finding:
        return cls(
            Crossing.from_json(data["crossing"]),
            Run.from_json(data["run"]),
            data["write_seq"],
            data["read_seq"],
            data["sink_seq"],
            Run.from_json(data["fixed_run"]) if data["fixed_run"] else None,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What the worker hands back for one `check` or `replay`.

    `run` is the run to look at first: the first finding's, else the one replayed, else the last clean one observed.
    `solo` maps each lane to its run alone on fresh state. `environment` has the interpreter and the versions of the
    libraries that were imported, and the handler's kind and parameters, where the job asked for it.
    """

    report: Report
    run: Run
    findings: tuple[Finding, ...]
    solo: dict[str, Run]
    environment: dict[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        return {
            "report": self.report.to_json(),
            "run": self.run.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "solo": {lane: run.to_json() for lane, run in self.solo.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        return cls(
            Report.from_json(data["report"]),
            Run.from_json(data["run"]),
            tuple(Finding.from_json(f) for f in data["findings"]),
            {lane: Run.from_json(run) for lane, run in data["solo"].items()},
            data.get("environment", {}),
        )
