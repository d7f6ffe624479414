"""The start screen: recent work, and the ways to begin. A line says what each of them needs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ..bindings import named
from ..folders import findings_folder, state_folder
from ..recent import KeptFinding, Work, ago, recent_findings, recent_work
from ..safe_text import safe
from ..title import shortened
from ..widgets.keys_line import KeysLine
from ..widgets.options import Options
from ..words import CROSSING, headline
from .form import Field, Form, missing_file

if TYPE_CHECKING:
    from textual.app import App, ComposeResult

_ABOUT = (
    "Replays recorded requests of several users against your handler, and shows where one user's data reached another."
)
_WAYS = (
    ("demo", "d", "Demo", "needs nothing: a bundled trace and the buggy agent that it came from"),
    (
        "open",
        "o",
        "Open a trace",
        "needs a trace (JSON lines) and the handler that it is replayed on, such as app.py:handle_message",
    ),
    (
        "record",
        "r",
        "Record traffic",
        "needs the URL of a running service; clients are sent to a port of this machine instead",
    ),
    (
        "import",
        "i",
        "Import traffic",
        "needs a file of another tool: HAR, OTLP, OpenInference, Langfuse, LangSmith, mitmproxy, VCR.py, logs, CSV",
    ),
)
_MOST_WORK = 6
_MARK = 3
# Of the box of the list, as its styles say: its width, and what of it is border, padding and scrollbar.
_WIDEST, _SHARE, _EDGES = 96, 0.98, 5


class StartScreen(Screen[None]):
    """Posts `Chosen` with what was chosen. `trace` is one that was named already, of which the handler is not known."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("d", "way('demo')", "Demo"),
            Binding("o", "way('open')", "Open"),
            Binding("r", "way('record')", "Record"),
            Binding("i", "way('import')", "Import"),
            Binding("j", "move('down')", "Down", show=False),
            Binding("k", "move('up')", "Up", show=False),
            Binding("question_mark", "app.help", "Help", key_display="?"),
            Binding("q", "app.quit", "Quit"),
        ]
    )

    @dataclass
    class Chosen(Message):
        """What to open: None stands for the demo."""

        what: Work | KeptFinding | None

    @dataclass
    class Recording(Message):
        """A recording is asked for."""

        to: str
        port: int
        output: Path

    @dataclass
    class Importing(Message):
        """A file of another tool is to be read into a trace."""

        file: str
        output: Path

    def __init__(self, trace: str = "") -> None:
        super().__init__()
        self._trace = trace
        self._works: list[Work] = []
        self._findings: list[KeptFinding] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="start") as box:
            box.border_title = "crosslane"
            yield Static(Text(_ABOUT))
            yield Options(*_ways(), id="begin")
            yield Static(id="hint")
            yield Static(id="problem")
        yield KeysLine()

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self.refresh_recent()
        if self._trace:
            self.ask_open(self._trace)

    def on_screen_resume(self) -> None:
        self.refresh_recent()

    @work(exclusive=True)
    async def refresh_recent(self) -> None:
        """Read again what was worked on last."""
        self._works = (await asyncio.to_thread(recent_work, state_folder()))[:_MOST_WORK]
        self._findings = await asyncio.to_thread(recent_findings, findings_folder())
        options = self.query_one(OptionList)
        highlighted = options.highlighted
        options.clear_options()
        options.add_options([*_ways(), *self._recent()])
        options.highlighted = highlighted or 0

    def problem(self, line: str) -> None:
        """Say in its place what went wrong with what was chosen."""
        self.query_one("#problem", Static).update(Text(safe(line), "bold"))

    # ---- the list

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.query_one("#hint", Static).update(Text(self._hint(event.option.id or ""), "dim"))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option.id or "")

    def _recent(self) -> list[Option | None]:
        room = min(_WIDEST, int(self._app.size.width * _SHARE)) - _EDGES
        rows: list[Option | None] = [None, Option(Text("recent traces", "bold"), disabled=True)]
        for number, each in enumerate(self._works):
            name = f"{safe(Path(each.trace).name, 30)} > {safe(each.handler, 40)}"
            rows.append(_row(f"work:{number}", "", name, ago(each.at), room))
        if not self._works:
            rows.append(Option(Text("   none yet: what you open is listed here"), disabled=True))
        rows += [None, Option(Text("recent findings", "bold"), disabled=True)]
        for number, kept in enumerate(self._findings):
            crossing = kept.source.crossing
            through = f", through {safe(crossing.carrier.name, 40)}" if crossing.carrier is not None else ""
            rows.append(_row(f"finding:{number}", CROSSING, f"{headline(crossing)}{through}", ago(kept.at), room))
        if not self._findings:
            rows.append(Option(Text("   none yet: what a check finds is listed here"), disabled=True))
        return rows

    def _hint(self, chosen: str) -> str:
        kind, _, number = chosen.partition(":")
        if kind == "work" and int(number) < len(self._works):
            each = self._works[int(number)]
            return f"replays {safe(each.trace)} on {safe(each.handler)} in {safe(each.cwd)}"
        if kind == "finding" and int(number) < len(self._findings):
            source = self._findings[int(number)].source
            return f"replays its requests alone on {safe(source.handler)} in {safe(source.cwd)}"
        return next((needs for name, _, _, needs in _WAYS if name == kind), "")

    def _choose(self, chosen: str) -> None:
        self.problem("")
        kind, _, number = chosen.partition(":")
        if kind == "work":
            self.post_message(self.Chosen(self._works[int(number)]))
        elif kind == "finding":
            self.post_message(self.Chosen(self._findings[int(number)]))
        elif kind == "demo":
            self.post_message(self.Chosen(None))
        elif kind == "open":
            self.ask_open()
        elif kind == "import":
            self._ask_import()
        elif kind == "record":
            self._ask_record()

    # ---- what each way asks for

    def ask_open(self, trace: str = "") -> None:
        """Ask for trace and handler."""

        def answered(answers: dict[str, str] | None) -> None:
            if answers is not None:
                trace = str(Path(answers["trace"]).expanduser().absolute())
                self.post_message(self.Chosen(Work(trace, answers["handler"], str(Path.cwd()))))

        handler = next((work.handler for work in self._works if work.cwd == str(Path.cwd())), "")
        fields = (
            Field("trace", "trace (JSON lines)", "trace.jsonl", trace, path=True),
            Field(
                "handler",
                "handler (file.py:attribute or package.module:attribute)",
                handler or "app.py:handle_message",
                path=True,
            ),
        )
        hint = "The handler is a function, or an ASGI, aiohttp or WSGI application. It runs in a process of its own."
        self._app.push_screen(Form("open", hint, fields, lambda answers: missing_file(answers["trace"])), answered)

    def _ask_import(self) -> None:
        def answered(answers: dict[str, str] | None) -> None:
            if answers is not None:
                self.post_message(self.Importing(answers["file"], Path(answers["output"]).expanduser().absolute()))

        fields = (
            Field("file", "file to read", "capture.har", path=True),
            Field("output", "trace to write", value="trace.jsonl", path=True),
        )
        hint = "The format is told by the content. For more choices, see: crosslane import --help"

        def problem(answers: dict[str, str]) -> str:
            return missing_file(answers["file"]) or _taken(answers["output"])

        self._app.push_screen(Form("import", hint, fields, problem), answered)

    def _ask_record(self) -> None:
        def answered(answers: dict[str, str] | None) -> None:
            if answers is not None:
                output = Path(answers["output"]).expanduser().absolute()
                self.post_message(self.Recording(answers["to"], int(answers["port"]), output))

        fields = (
            Field("to", "URL of the service", "http://127.0.0.1:8000"),
            Field("port", "port to listen on (0 takes a free one)", value="9000"),
            Field("output", "trace to write", value="trace.jsonl", path=True),
        )
        hint = "Clients are sent to the port instead of the service. Credentials are replaced before anything is kept."
        self._app.push_screen(Form("record", hint, fields, _record_problem), answered)

    # ---- keys

    @property
    def _app(self) -> App[None]:
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]

    def action_way(self, way: str) -> None:
        self._choose(way)

    def action_move(self, where: str) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if where == "down" else options.action_cursor_up()


def _ways() -> list[Option]:
    return [_row(name, key, title, "") for name, key, title, _ in _WAYS]


def _row(identity: str, mark: str, title: str, remark: str, room: int = _WIDEST) -> Option:
    """A row of one line in so many cells: what is too long goes in its middle, and the remark is whole."""
    text = Text.assemble((f" {mark:<2}", "bold"), shortened(title, room - _MARK - len(remark) - 2))
    if remark:
        text.append(f"  {remark}", "dim")
    return Option(text, id=identity)


def _taken(name: str) -> str:
    path = Path(name).expanduser()
    if path.exists():
        return f"{name} is there already; give another name"
    return "" if path.absolute().parent.is_dir() else f"{name}: no such folder"


def _record_problem(answers: dict[str, str]) -> str:
    if not answers["to"].startswith(("http://", "https://")):
        return "the URL begins with http:// or https://, such as http://127.0.0.1:8000"
    port = answers["port"]
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        return "the port is a number from 0 to 65535"
    return _taken(answers["output"])
