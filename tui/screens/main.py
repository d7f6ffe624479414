"""The main screen: what is known of the program in its panels, the job that runs behind them, and the keys of both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from rich.text import Text
from textual.screen import Screen
from textual.widgets import Static

from ...replay.errors import CrosslaneError
from ..jobs import Jobs
from ..known import Known
from ..title import NARROW, main_title
from ..widgets.keys_line import KeysLine
from ..widgets.lanes_panel import LanesPanel
from ..widgets.run_panels import RunPanels
from .main_keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App, ComposeResult
    from textual.binding import BindingType
    from textual.events import Resize
    from textual.worker import Worker

    from ...replay.report import Finding, Result
    from ...replay.run import Run
    from ...replay.worker.job import Job, Progress
    from ..session import OpenSession
    from ..showing import Showing
    from ..tried import Group, Tried
    from .watch import Watch

T = TypeVar("T")


class MainScreen(Screen[None]):
    """Shows the recorded traffic at once, checks it, and then shows the first finding with the cursor on it.

    Attributes:
        settled: no job is under way. Screenshots and tests wait for it.
    """

    BINDINGS: ClassVar[list[BindingType]] = KEYS

    def __init__(self, session: OpenSession) -> None:
        super().__init__()
        self.session = session
        self.known = Known(session)
        self.jobs = Jobs(session, self)
        self.panels = RunPanels(session.options.cwd)
        self.settled = False
        self._watch: Watch | None = None

    def compose(self) -> ComposeResult:
        yield Static(self._title_line(self._app.size.width), id="title")
        yield self.panels

    def on_mount(self) -> None:
        problem = ""
        self.panels.lanes.border_title = "lanes, as recorded"
        try:
            self._show(self.known.recorded())
        except CrosslaneError as error:
            problem = str(error)
        else:
            self.panels.lanes.focus()
        self.call_after_refresh(self._complete, problem)

    async def _complete(self, problem: str) -> None:
        """Once the lanes are seen, what stands around them and the search: neither is waited for."""
        await self.panels.complete()
        await self.mount(Static(id="watch"), after="#title")
        footer = KeysLine()
        await self.mount(footer)
        # It came too late to be told of the keys, and without the terminal's focus it would not look for them either.
        footer.call_next(footer.bindings_changed, self)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        if not self._app.app_focus:
            footer.refresh(recompose=True)
        if problem:
            self.panels.finding.error(problem)
            self.settled = True
        else:
            self.start(self.session.job("check"))

    async def on_unmount(self) -> None:
        await self.jobs.close()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")
        self._title()

    @property
    def finding(self) -> Finding | None:
        """The one that is told of what is in the lanes."""
        return self.panels.showing.finding if self.panels.showing is not None else None

    @property
    def _app(self) -> App[None]:
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]

    def open(self, screen: Screen[T], answered: Callable[[T | None], None] | None = None) -> None:
        """Push a screen; `answered` hears what it answers."""
        self._app.push_screen(screen, answered)

    # ---- jobs

    def start(
        self, job: Job, of: tuple[Group, str] | None = None, heard: Callable[[Result], None] | None = None
    ) -> None:
        """Run a job in the worker; the interface goes on meanwhile. What it finds is kept for `export`.

        `of` says what an interleaving belongs to and where it comes from. `heard` shows the result in its own way.
        """
        if self.jobs.busy:
            self.notify("a replay is under way; x stops it")
            return
        self.panels.finding.border_title = "starting"
        seen = partial(self._on_run, origin=of[1]) if of is not None else _ignored
        self._begin(job, heard or partial(self._on_result, job=job, of=of), seen)

    async def outcome_of(self, job: Job, *, shown: bool) -> Result | CrosslaneError:
        """Run a job and wait for it. What it finds is `shown` as that of any job, or told by who asks alone."""
        await self.jobs.ended()
        heard = partial(self._on_result, job=job, of=None) if shown else _ignored
        return await self._begin(job, heard, _ignored).wait()

    def _begin(
        self, job: Job, heard: Callable[[Result], None], seen: Callable[[Run], None]
    ) -> Worker[Result | CrosslaneError]:
        self.settled = False
        return self.run_worker(self.jobs.begin(job, heard, seen), exit_on_error=False)

    async def edited(self) -> None:
        """Stop what runs, and forget the program as it was: its processes, its source, what was tried with it."""
        await self.jobs.forget()
        self.job_reloaded()

    def job_reloaded(self) -> None:
        self.panels.source.forget()
        self.known.tried.forget()

    def job_progressed(self, progress: Progress) -> None:
        if self.is_mounted:
            self._title()
            if self.finding is None:
                self.panels.finding.progress(progress)

    def job_failed(self, error: CrosslaneError) -> None:
        self.panels.finding.error(str(error))
        self.set_class(True, "-drawer")

    def job_ended(self) -> None:
        self.settled = True
        self._title()

    # ---- what is shown

    def _on_run(self, run: Run, origin: str) -> None:
        if self.is_mounted:
            self._show(self.known.of_unjudged(run, origin))

    def _on_result(self, result: Result, job: Job, of: tuple[Group, str] | None) -> None:
        if of is not None:
            self.show_tried(self.known.tried.add(of[0], result, of[1], job.concurrency))
        else:
            self._tell(self.known.learn(result, job))

    def select(self, finding: Finding) -> None:
        """Show a finding of the result, in its own run."""
        self._tell(self.known.of_result(finding, finding.run))

    def _tell(self, showing: Showing) -> None:
        """Show a run of the result, with what is to be said of it."""
        panel, result = self.panels.finding, self.known.result
        if result is not None and showing.finding is not None:
            number = result.findings.index(showing.finding) + 1
            panel.finding(showing.finding.crossing, number, len(result.findings))
        elif result is not None:
            panel.verdict(result.report)
            self.set_class(True, "-drawer")
        self._show(showing)

    def show_tried(self, tried: Tried) -> None:
        """Show an interleaving that was executed, with what came of it."""
        panel = self.panels.finding
        if tried.finding is not None:
            panel.finding(tried.finding.crossing, 1, 1)
        elif tried.report is not None:
            panel.verdict(tried.report)
        panel.border_title = tried.title
        self._show(self.known.of_tried(tried))

    def _show(self, showing: Showing) -> None:
        self.panels.show(showing)
        self._title()

    def show_watch(self) -> None:
        line = self.query_one("#watch", Static)
        line.display = self._watch is not None
        if self._watch is not None:
            line.update(Text(self._watch.lines(), no_wrap=True, overflow="ellipsis"))

    def _title(self) -> None:
        if self.is_mounted:
            self.query_one("#title", Static).update(self._title_line(self.size.width))

    def _title_line(self, width: int) -> Text:
        shown = self.panels.showing.of if self.panels.showing is not None else None
        return Text(main_title(self.session, shown, self.jobs, self.known, width), no_wrap=True, overflow="ellipsis")

    # ---- keys

    def action_crossing(self, by: int) -> None:
        """To the crossing of the next finding, or back to that of the only one; in a search, to its next match."""
        search, showing = self.query_one(LanesPanel), self.panels.showing
        if search.active:
            search.next(by)
        elif not self.known.findings:
            self.notify("no crossing was found")
        else:
            on_it = showing is not None and self.panels.lanes.cursor == showing.grid.sink_row
            self.select(self.known.neighbour(self.finding, by if on_it else 0))

    def action_open(self) -> None:
        """The drawer where the panel has no room, else the inspector."""
        if self.has_class("-narrow"):
            self.toggle_class("-drawer")
        else:
            self.action_inspect()

    def action_inspect(self) -> None:
        from .inspector import Inspector, look

        showing = self.panels.showing
        if showing is None or self.panels.event is None:
            return
        looked = look(showing, self.panels.lanes.cursor, self.known, self.session.options.cwd)
        if looked is None:
            self.notify("this step belongs to no request")
        else:
            self.open(Inspector(looked))

    def action_replay(self) -> None:
        from .dialogs import ask_replay

        ask_replay(self)

    def action_choose(self) -> None:
        from .stepping import choose

        choose(self)

    def action_breakpoints(self) -> None:
        from .breakpoints import ask_breakpoints

        ask_breakpoints(self)

    def action_continue(self, by: int) -> None:
        self.panels.to_breakpoint(by)

    def action_tried(self) -> None:
        from .interleavings import InterleavingsScreen
        from .stepping import show

        self.open(InterleavingsScreen(self.known.tried, self.known.shown), partial(show, self))

    def action_compare(self) -> None:
        from .stepping import compare

        compare(self)

    def action_before(self) -> None:
        """Back to the run that was in the lanes before this one."""
        if self.known.before is None:
            self.notify("there is no run before this one")
        else:
            self.show_tried(self.known.before)

    def action_findings(self) -> None:
        from .findings import ask_findings

        ask_findings(self)

    def action_minimise(self) -> None:
        from . import on_finding

        on_finding.minimise(self)

    def action_watch(self) -> None:
        """After each edit of the handler's files, the finding's repro and the search again; or no longer."""
        from .watch import Watch

        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        else:
            self._watch = Watch(self, self.finding or next(iter(self.known.findings), None))
            self._watch.start()
        self.show_watch()

    def action_export(self) -> None:
        from . import on_finding

        on_finding.ask_export(self._app, self.session, self.finding)

    def action_copy(self) -> None:
        from . import on_finding

        on_finding.copy(self._app, self.finding.crossing if self.finding is not None else None)

    def action_edit(self) -> None:
        """The line under the cursor, else the one that wrote."""
        from . import on_finding

        showing = self.panels.showing
        access = showing.access(self.panels.lanes.cursor) if showing is not None else None
        on_finding.edit(self._app, self.session, access)

    async def action_pause(self) -> None:
        if self.jobs.busy:
            await self.jobs.pause()
        else:
            self.notify("nothing is running")

    async def action_cancel(self) -> None:
        if self.jobs.busy:
            await self.jobs.cancel()
        else:
            self.notify("nothing is running")

    def action_search(self) -> None:
        self.query_one(LanesPanel).ask()

    async def action_back(self) -> None:
        search = self.query_one(LanesPanel)
        if search.active:
            search.end()
        elif self.has_class("-drawer") and self.has_class("-narrow"):
            self.remove_class("-drawer")
        elif self.jobs.busy:
            await self.jobs.cancel()


def _ignored(_: object) -> None:
    """A run that nobody waits to see, or a result that is told elsewhere."""
