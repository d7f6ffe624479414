"""The main screen: the lanes, the finding, the source, and the job that runs behind them."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from ...replay.errors import CrosslaneError
from ..bindings import named
from ..breakpoints import Stops, next_hit, stops, toggled
from ..emphasis import Emphasis, foreign_values
from ..grid import Grid, lay_out
from ..safe_text import safe
from ..session import OpenSession, Runner, recorded_run
from ..title import title
from ..views import View, asks_the_same, counterpart, views_of
from ..widgets.finding import FindingPanel
from ..widgets.lanes import LanesView
from ..widgets.lanes_panel import LanesPanel
from ..widgets.source import SourcePanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App, ComposeResult
    from textual.events import Resize
    from textual.worker import Worker

    from ...replay.report import Finding, Result
    from ...replay.run import Run
    from ...replay.trace.model import Exchange
    from ...replay.worker.job import Job, Progress
    from ..breakpoints import Breakpoint
    from ..tried import Group, Tried, TriedRuns
    from .watch import Watch

NARROW = 110
T = TypeVar("T")


class MainScreen(Screen[None]):
    """Shows the recorded traffic at once, checks it, and then shows the first finding with the cursor on it.

    Attributes:
        settled: no job is under way. Screenshots and tests wait for it.
    """

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("n", "crossing(1)", "Crossing", key_display="n"),
            Binding("question_mark", "app.help", "Help", key_display="?"),
            Binding("q", "app.quit", "Quit"),
            Binding("N", "crossing(-1)", "Crossing back", show=False),
            Binding("enter", "open", "Open"),
            Binding("i", "inspect", "Inspect", show=False),
            Binding("r", "replay", "Replay"),
            Binding("c", "choose", "Choose lane"),
            Binding("b", "breakpoints", "Breakpoints", show=False),
            Binding("f", "continue(1)", "Continue", show=False),
            Binding("F", "continue(-1)", "Continue back", show=False),
            Binding("t", "tried", "Interleavings"),
            Binding("d", "compare", "Compare with the run before", show=False),
            Binding("u", "before", "Run before", show=False),
            Binding("a", "findings", "All findings"),
            Binding("m", "minimise", "Minimise", show=False),
            Binding("o", "edit", "Edit the source", show=False),
            Binding("w", "watch", "Watch"),
            Binding("e", "export", "Export"),
            Binding("slash", "search", "Search", show=False),
            Binding("y", "copy", "Copy", show=False),
            Binding("P", "pause", "Pause", show=False),
            Binding("x", "cancel", "Stop", show=False),
            Binding("escape", "back", "Back", show=False),
            Binding("tab", "app.focus_next", "Next panel", show=False),
        ]
    )

    def __init__(self, session: OpenSession) -> None:
        super().__init__()
        self.session = session
        self.result: Result | None = None
        self.settled = False
        self._made_runner: Runner | None = None
        self._run: Run | None = None
        self._finding: Finding | None = None
        self._grid: Grid | None = None
        self._views: list[View] = []
        self._lanes_title = ""
        self._busy = False
        self._progress = ""
        self._paused = False
        self._failed = False
        self._reloaded = ""
        self._schedule = "recorded"
        self._tried: TriedRuns | None = None
        self.shown: Tried | None = None
        self.shown_before: Tried | None = None
        self._watch: Watch | None = None
        self._watching: Worker[None] | None = None
        self.breakpoints: tuple[Breakpoint, ...] = ()
        self._stopping: tuple[Run, tuple[Breakpoint, ...], Stops] | None = None

    def compose(self) -> ComposeResult:
        yield Static(self._title_line(self._app.size.width), id="title")
        with Horizontal(id="body"):
            yield LanesPanel()
            yield Vertical(id="side")

    def on_mount(self) -> None:
        assert self.session.trace is not None
        lanes = self.query_one(LanesView)
        lanes.border_title = "lanes, as recorded"
        problem = ""
        try:
            self._show(recorded_run(self.session.trace, self.session.settings.boundary or "user"), None)
        except CrosslaneError as error:
            problem = str(error)
        else:
            lanes.focus()
        self.call_after_refresh(self._complete, problem)

    async def _complete(self, problem: str) -> None:
        """Once the lanes are seen, what stands around them and the search: neither is waited for."""
        source = SourcePanel(self.session.options.cwd, lambda file: self._stops().lines(file))
        await self.query_one("#side").mount(FindingPanel(id="finding"), source)
        await self.mount(Static(id="watch"), after="#title")
        footer = Footer(compact=True)
        await self.mount(footer)
        # It came too late to be told of the keys, and without the terminal's focus it would not look for them either.
        footer.call_next(footer.bindings_changed, self)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        if not self._app.app_focus:
            footer.call_after_refresh(footer.recompose)
        if problem:
            self.query_one(FindingPanel).error(problem)
            self.settled = True
            return
        self._show_source(self.query_one(LanesView).cursor)
        self.start(self.session.job("check"))

    async def on_unmount(self) -> None:
        if self._made_runner is not None:
            await self._made_runner.close()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")
        self._title()

    @property
    def _runner(self) -> Runner:
        if self._made_runner is None:
            self._made_runner = self.session.runner(self.session.options)
        return self._made_runner

    @property
    def tried(self) -> TriedRuns:
        """The interleavings that were tried with the program as it is now."""
        if self._tried is None:
            from ..tried import TriedRuns

            self._tried = TriedRuns(self.session)
        return self._tried

    # ---- jobs

    def start(
        self, job: Job, of: tuple[Group, str] | None = None, heard: Callable[[Result], None] | None = None
    ) -> None:
        """Run a job in the worker; the interface goes on meanwhile. What it finds is kept for `export`.

        `of` says what an interleaving belongs to and where it comes from. `heard` shows the result in its own way.
        """
        if self._busy:
            self.notify("a replay is under way; x stops it")
            return
        self._busy, self.settled = True, False
        self.query_one(FindingPanel).border_title = "starting"
        self._work(job, heard or partial(self._on_result, job=job, of=of))

    @work(exit_on_error=False)
    async def _work(self, job: Job, heard: Callable[[Result], None]) -> Result | CrosslaneError:
        try:
            result = await self._runner.run(job, self._on_progress)
        except CrosslaneError as error:
            # What was said before is of another execution, and perhaps of another program.
            self._failed = True
            self.query_one(FindingPanel).error(str(error))
            self.set_class(True, "-drawer")
            return error
        else:
            self._failed = False
            self._note_reload()
            heard(result)
            from ..kept import keep_findings

            await asyncio.to_thread(keep_findings, self.session, result)
            return result
        finally:
            self._busy, self._paused, self._progress, self.settled = False, False, "", True
            self._title()

    def _note_reload(self) -> None:
        """Where the program was edited since the job before: what is known of it as it was is no longer so."""
        cwd = self.session.options.cwd.absolute()
        edited = (Path(file) for file in self._runner.reloaded)
        names = [str(file.relative_to(cwd) if file.is_relative_to(cwd) else file) for file in edited]
        self._reloaded = safe(f"reloaded {', '.join(names)}", 200) if names else ""
        if names:
            self.query_one(SourcePanel).forget()
            self.tried.forget()

    # ---- what a watch asks for

    async def outcome_of(self, job: Job, *, shown: bool) -> Result | CrosslaneError:
        """Run a job and wait for it. What it finds is `shown` as that of any job, or told by the watch alone."""
        while self._busy:
            await asyncio.sleep(0.02)
        self._busy, self.settled = True, False
        heard = partial(self._on_result, job=job, of=None) if shown else _unheard
        return await self._work(job, heard).wait()

    async def edited(self) -> None:
        """Stop what runs, and forget the program as it was: its processes, its source, what was tried with it."""
        if self._busy:
            await self._runner.cancel()
        while self._busy:
            await asyncio.sleep(0.02)
        await self._runner.close()
        self._made_runner = None
        self.query_one(SourcePanel).forget()
        self.tried.forget()

    def show_watch(self) -> None:
        line = self.query_one("#watch", Static)
        line.display = self._watch is not None
        if self._watch is not None:
            line.update(Text(self._watch.lines(), no_wrap=True, overflow="ellipsis"))

    def _on_progress(self, progress: Progress) -> None:
        self._progress = f"{progress.phase}: {progress.executions} executions, {progress.per_second:,.0f}/s"
        if progress.paused:
            self._progress = f"paused in {self._progress}"
        if self.is_mounted:
            self._title()
            if self._finding is None:
                self.query_one(FindingPanel).progress(progress)

    def _on_result(self, result: Result, job: Job, of: tuple[Group, str] | None) -> None:
        if of is not None:
            self.show_tried(self.tried.add(of[0], result, of[1], job.concurrency))
            return
        self.result = result
        if job.action == "replay":
            self._schedule = "the finding's" if job.schedule is not None else job.order
            if job.order == "random" and job.schedule is None:
                self._schedule += f" {job.seed}"
            self._now_shown(self.tried.add(self.tried.main(), result, self._schedule, job.concurrency))
            self._select(result.findings[0] if result.findings else None, result.run)
        elif result.findings:
            self._schedule = "of the finding"
            self.tried.add_search(result, job.concurrency)
            self._select(result.findings[0], result.findings[0].run)
        else:
            self._schedule = "lockstep"
            self._now_shown(self.tried.add_search(result, job.concurrency))
            self._select(None, result.run)

    # ---- what is shown

    @property
    def _known(self) -> Tried | None:
        """The interleaving that the run in the lanes is; None for one that is not among them."""
        shown = self.shown
        if shown is None or shown.run is self._run or any(known is self._finding for known in shown.found):
            return shown
        return None

    @property
    def _solo(self) -> dict[str, Run]:
        """Each lane of the run in the lanes, alone."""
        if self._known is not None:
            return self._known.solo
        return self.result.solo if self.result is not None else {}

    @property
    def _exchanges(self) -> tuple[Exchange, ...]:
        """The requests of the run in the lanes, with what was recorded of them: a finding keeps its requests alone."""
        assert self.session.trace is not None
        recorded = self.session.trace.exchanges
        if self._known is None:
            return recorded
        of = {same.request.id: same for same in recorded}
        own = ((each, of.get(each.request.id, each)) for each in self._known.group.exchanges)
        return tuple(known if asks_the_same(each, known) else each for each, known in own)

    def show_tried(self, tried: Tried) -> None:
        """Show an interleaving that was executed, with what came of it."""
        from .stepping import parting_row

        assert tried.run is not None
        self._schedule = safe(tried.name or tried.origin)
        self._now_shown(tried)
        panel = self.query_one(FindingPanel)
        if tried.finding is not None:
            panel.finding(tried.finding.crossing, 1, 1)
        elif tried.report is not None:
            panel.verdict(tried.report)
        panel.border_title = tried.title
        self.query_one(LanesView).border_title = f"lanes  {tried.title}"
        self._show(tried.run, tried.finding)
        if tried.finding is None and self.shown_before is not None:
            self.query_one(LanesView).cursor = parting_row(tried, self.shown_before)

    def _now_shown(self, tried: Tried | None) -> None:
        if tried is not None and tried is not self.shown:
            self.shown, self.shown_before = tried, self.shown

    def _select(self, finding: Finding | None, run: Run) -> None:
        panel = self.query_one(FindingPanel)
        if finding is not None and run is finding.run:
            self._now_shown(self.tried.of(finding))
        if self.result is not None and finding is not None:
            findings = self.result.findings
            panel.finding(finding.crossing, findings.index(finding) + 1, len(findings))
        elif self.result is not None:
            panel.verdict(self.result.report)
            self.set_class(True, "-drawer")
        self.query_one(LanesView).border_title = "lanes"
        self._show(run, finding)

    def _show(self, run: Run, finding: Finding | None) -> None:
        assert self.session.trace is not None
        self._run, self._finding = run, finding
        self._views = views_of(run, self._solo, self.session.trace, self.session.settings.boundary or "user")
        self._lanes_title = str(self.query_one(LanesView).border_title or "")
        self._show_view(None)
        self._title()

    def _show_view(self, row: int | None) -> None:
        """The first view, with the cursor on a row or on the crossing."""
        view, lanes = self._views[0], self.query_one(LanesView)
        self._grid = lay_out(view.run, self._finding)
        findings = () if self._finding is None else (self._finding, *(self.result.findings if self.result else ()))
        evidence = self._finding.crossing.sink.evidence if self._finding is not None else ""
        if row is None:
            row = self._grid.sink_row if self._grid.sink_row is not None else 0
        several = len(self._views) > 1
        lanes.border_title = f"{self._lanes_title}  {view.summary()}" if several else self._lanes_title
        lanes.show(self._grid, Emphasis(evidence, foreign_values(findings), view.marks), row)

    def on_lanes_view_other_view(self) -> None:
        if len(self._views) < 2 or self._grid is None:
            self.notify("this is the traffic as it was recorded; r replays it")
            return
        cursor = self.query_one(LanesView).cursor
        event = self._grid.events[cursor] if 0 <= cursor < len(self._grid.events) else None
        self._views.append(self._views.pop(0))
        self._show_view(counterpart(event, self._views[0].run) if event is not None else None)

    def on_lanes_view_moved(self, message: LanesView.Moved) -> None:
        self._show_source(message.row)

    def _show_source(self, row: int) -> None:
        if self._grid is None or not 0 <= row < len(self._grid.events) or not self.query(SourcePanel):
            return
        event = self._grid.events[row]
        marks: dict[str, str] = {}
        if self._finding is not None:
            for kind, access in (("write", self._finding.crossing.write), ("read", self._finding.crossing.read)):
                if access is not None:
                    marks[access.at] = kind
        at = event.at
        if row == self._grid.sink_row and self._finding is not None and self._finding.crossing.read is not None:
            # On the crossing itself, the line that read the foreign value says more than the return statement.
            at = self._finding.crossing.read.at
        self.call_after_refresh(self.query_one(SourcePanel).show, at, marks)

    def _title(self) -> None:
        if self.is_mounted:
            self.query_one("#title", Static).update(self._title_line(self.size.width))

    def _title_line(self, width: int) -> Text:
        assert self.session.trace is not None
        paths = f"{safe(Path(self.session.trace.path).name)} > {safe(self.session.handler or '')}"
        how = (f"concurrency {self.session.concurrency or 'all'}", f"schedule {self._schedule}")
        verdict, after = safe(self._progress), ()
        if self._failed and not verdict:
            verdict = "✖ no verdict"
        elif self.result is not None and not verdict:
            report = self.result.report
            count = len(report.crossings)
            verdict = f"✗ {count} crossing{'' if count == 1 else 's'}" if count else report.verdict
            after = tuple(filter(None, (self._reloaded, f"{report.executions} executions")))
        line = title(paths, how if width >= NARROW else (), verdict, after, width)
        return Text(line, no_wrap=True, overflow="ellipsis")

    # ---- keys

    def open(self, screen: Screen[T], answered: Callable[[T | None], None] | None = None) -> None:
        """Push a screen; `answered` hears what it answers."""
        self._app.push_screen(screen, answered)

    @property
    def _app(self) -> App[None]:
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]

    def action_crossing(self, by: int) -> None:
        """To the crossing of the next finding, or back to that of the only one; in a search, to its next match."""
        search = self.query_one(LanesPanel)
        if search.active:
            search.next(by)
            return
        if self.result is None or not self.result.findings:
            self.notify("no crossing was found")
            return
        findings = self.result.findings
        if self._finding is None or not any(known is self._finding for known in findings):
            target = findings[0]
        else:
            row = self._grid.sink_row if self._grid is not None else None
            on_it = row is not None and self.query_one(LanesView).cursor == row
            target = findings[(findings.index(self._finding) + (by if on_it else 0)) % len(findings)]
        self._select(target, target.run)

    def action_open(self) -> None:
        """The drawer where the panel has no room, else the inspector."""
        if self.has_class("-narrow"):
            self.toggle_class("-drawer")
        else:
            self.action_inspect()

    def action_inspect(self) -> None:
        from .inspector import Inspector, look

        row = self.query_one(LanesView).cursor
        if self._grid is None or self._run is None or not 0 <= row < len(self._grid.events):
            return
        cwd, view = self.session.options.cwd, self._views[0]
        looked = look(view, row, self._run, self._exchanges, self._solo, self._finding, self._grid.lanes, cwd)
        if looked is None:
            self.notify("this step belongs to no request")
        else:
            self.open(Inspector(looked))

    def action_replay(self) -> None:
        from ...replay.schedule.schedule import of_json as schedule_of
        from .dialogs import ReplayDialog

        def answered(answer: tuple[str, int, int | None] | None) -> None:
            if answer is None:
                return
            order, seed, concurrency = answer
            if order == "check":
                self.start(self.session.job("check", concurrency=concurrency))
            elif order == "finding" and self._finding is not None:
                schedule = schedule_of(self._finding.crossing.schedule)
                self.start(self.session.job("replay", schedule=schedule, concurrency=concurrency))
            else:
                self.start(self.session.job("replay", order=order, seed=seed, concurrency=concurrency))

        self._app.push_screen(ReplayDialog(self._finding is not None, self.session.concurrency), answered)

    def action_choose(self) -> None:
        from .stepping import choose

        row = self.query_one(LanesView).cursor
        if self._grid is None or not 0 <= row < len(self._grid.events):
            return
        if self._views[0].run is not self._run:
            self.notify(f"nobody chose who runs in the view {self._views[0].title!r}: v goes back to this run")
        elif self.shown is not None and self._known is None:
            self.notify("this run is not among the interleavings: r replays it")
        else:
            choose(self, self._grid.events[row].step - 1)

    def action_breakpoints(self) -> None:
        from .breakpoints import BreakpointsScreen, suggestion

        row = self.query_one(LanesView).cursor
        if self._run is not None and self._grid is not None:
            event = self._grid.events[row] if 0 <= row < len(self._grid.events) else None
            self.open(BreakpointsScreen(self.breakpoints, self._views[0].run, suggestion(event)), self._break_at)

    def on_source_panel_toggled(self, message: SourcePanel.Toggled) -> None:
        self._break_at(toggled(self.breakpoints, message.file, message.line))

    def _break_at(self, breakpoints: tuple[Breakpoint, ...] | None) -> None:
        self.breakpoints = breakpoints or ()
        count = len(self.breakpoints)
        said = f"{count} breakpoint{'' if count == 1 else 's'}" if count else ""
        self.query_one(LanesView).border_subtitle = said
        self.query_one(SourcePanel).redraw()

    def _stops(self) -> Stops:
        """Where the breakpoints stop in the run that is shown."""
        if not self._views or not self.breakpoints:
            return Stops((), ())
        of = (self._views[0].run, self.breakpoints)
        if self._stopping is None or self._stopping[0] is not of[0] or self._stopping[1] != of[1]:
            self._stopping = (*of, stops(self.breakpoints, of[0]))
        return self._stopping[2]

    def action_continue(self, by: int) -> None:
        """To the next row that a breakpoint hits."""
        if self._run is None or not self.breakpoints:
            self.notify("no breakpoint is set; b sets one")
            return
        lanes = self.query_one(LanesView)
        row = next_hit(self._stops().rows, lanes.cursor, by)
        if row is None:
            self.notify(f"no breakpoint hits {'after' if by > 0 else 'before'} this row")
        else:
            lanes.cursor = row

    def action_tried(self) -> None:
        from .interleavings import InterleavingsScreen
        from .stepping import show

        self.open(InterleavingsScreen(self.tried, self.shown), partial(show, self))

    def action_compare(self) -> None:
        from .stepping import compare

        compare(self)

    def action_before(self) -> None:
        """Back to the run that was in the lanes before this one."""
        if self.shown_before is None:
            self.notify("there is no run before this one")
        else:
            self.show_tried(self.shown_before)

    def action_findings(self) -> None:
        """All findings in a table, with what is allowed, known, or an influence."""
        from .findings import Chosen, FindingsScreen

        if self.result is None:
            self.notify("nothing was searched yet")
            return

        def chosen(choice: Chosen | None) -> None:
            if choice is None or self.result is None or choice.finding not in self.result.findings:
                return
            self._select(choice.finding, choice.finding.run)
            if choice.minimise:
                self.action_minimise()

        self.open(FindingsScreen(self.session, self.result, self._finding), chosen)

    def action_minimise(self) -> None:
        """Search the finding's own requests for a smaller one; a search minimises as far as it is let."""
        from ..kept import smaller_job

        finding = self._finding
        if finding is None:
            self.notify("there is no finding to minimise")
        else:
            self.start(smaller_job(self.session, finding), heard=partial(self._on_smaller, finding))

    def _on_smaller(self, finding: Finding, searched: Result) -> None:
        from ..kept import with_smaller

        assert self.result is not None
        self.result, best = with_smaller(self.result, finding, searched)
        if best is finding:
            self.notify(f"nothing smaller shows it, in {searched.report.executions} executions of its requests")
            return
        self.tried.add_search(self.result, None)
        self._select(best, best.run)
        self.notify(f"smaller: {best.crossing.needs.in_words()}")

    def action_watch(self) -> None:
        """After each edit of the handler's files, the finding's repro and the search again; or no longer."""
        from .watch import Watch

        if self._watching is not None:
            self._watching.cancel()
            self._watch = self._watching = None
        else:
            finding = self._finding or next(iter(self.result.findings if self.result is not None else ()), None)
            self._watch = Watch(self, finding)
            self._watching = self.run_worker(self._watch.go(), exit_on_error=False, group="watch")
        self.show_watch()

    def action_export(self) -> None:
        from . import on_finding

        on_finding.ask_export(self._app, self.session, self._finding)

    def action_copy(self) -> None:
        from . import on_finding

        on_finding.copy(self._app, self._finding.crossing if self._finding is not None else None)

    def action_edit(self) -> None:
        """The line under the cursor, else the one that wrote."""
        from ...replay.report import Access
        from . import on_finding

        access = None
        if self._finding is not None:
            access = self._finding.crossing.write or self._finding.crossing.read
        row = self.query_one(LanesView).cursor
        if self._grid is not None and 0 <= row < len(self._grid.events) and self._grid.events[row].at:
            event = self._grid.events[row]
            access = Access(event.lane, event.at or "", event.code or "")
        on_finding.edit(self._app, self.session, access)

    async def action_pause(self) -> None:
        """The search waits between two executions, and its budget with it, until the same key lets it go on."""
        if not self._busy:
            self.notify("nothing is running")
        elif self._paused:
            self._paused = False
            await self._runner.go_on()
        else:
            self._paused = True
            await self._runner.pause()

    async def action_cancel(self) -> None:
        if self._busy:
            await self._runner.cancel()
        else:
            self.notify("nothing is running")

    def action_search(self) -> None:
        self.query_one(LanesPanel).ask()

    async def action_back(self) -> None:
        if self.query_one(LanesPanel).active:
            self.query_one(LanesPanel).end()
        elif self.has_class("-drawer") and self.has_class("-narrow"):
            self.remove_class("-drawer")
        elif self._busy:
            await self._runner.cancel()


def _unheard(result: Result) -> None:
    """A result that is told elsewhere."""
