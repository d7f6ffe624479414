"""What the tabs of the inspector say of one row, as texts with their marks. Nothing here runs anything or waits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from rich.text import Text

from .palette import ACCENT, LANES
from .safe_text import safe, safe_block
from .views import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..replay.run import Outcome, Run
    from ..replay.trace.model import Exchange
    from .owners import Owners

LIMIT = 20_000
_MOST_COMPARED = 1_500
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_AROUND = 2


@dataclass(frozen=True, slots=True)
class Looked:
    """One row of a run, with what there is to compare it with.

    Attributes:
        run, row: where it was observed, which for a lane alone is the run of that lane.
        view, number: under which title it is shown, and the number that it has there.
        seen: what came of its request where it was observed; None of what was recorded.
        now: what came of the request in the run in the lanes.
        alone, fixed: what the request was answered alone, and with the finding's carrier kept apart.
        evidence: what a finding calls foreign here, in lower case; `source` is whose it is.
        lanes: in the order of the columns, for their colours.
        lines: the source of a file of the user's, [] where it cannot be read.
    """

    exchange: Exchange
    run: Run
    row: int
    view: str
    number: int
    seen: Outcome | None
    now: Outcome | None
    alone: Outcome | None
    fixed: Outcome | None
    carrier: str
    evidence: tuple[str, ...]
    source: str
    owners: Owners
    lanes: tuple[str, ...]
    lines: Callable[[str], list[str]]

    @property
    def lane(self) -> str:
        return self.run.events[self.row].lane


def request(looked: Looked) -> Text:
    asked = looked.exchange.request
    heading = f"{asked.id}  session {asked.session}  user {asked.user}  line {asked.line} of the trace"
    return Text.assemble(
        (safe(heading), "bold"), "\n\n", _pretty(asked.request if asked.message is None else asked.message)
    )


def recorded(looked: Looked) -> Text:
    response = looked.exchange.response
    if response is None:
        return _section("recorded", "", None)
    status = f"{response.status}  " if response.status is not None else ""
    return _section("recorded", "", Text(f"{status}{_pretty(response.body)}"))


def alone(looked: Looked) -> Text:
    return _section("alone", "", _plain(looked.alone))


def now(looked: Looked) -> Text:
    said, before = answer(looked.now), answer(looked.alone)
    differs = said is not None and before is not None and said != before
    text = _section("this run", "  ≠ alone, what differs is underlined" if differs else "", None)
    if said is None:
        return text
    body = Text(said)
    if differs and before is not None:
        for start, end in changed(before, said):
            body.stylize("underline", start, end)
    foreign = looked.owners.foreign(looked.lane, said)
    if looked.evidence:
        foreign.setdefault(looked.source, set()).update(looked.evidence)
    legend = Text()
    for owner, words in foreign.items():
        shown: list[str] = []
        for word in sorted(words, key=len, reverse=True):
            if _mark(body, word, _style(looked, owner)) and not any(word in longer for longer in shown):
                shown.append(word)
        if shown:
            legend.append(f"marked: {safe(owner, 60)}'s, foreign to {safe(looked.lane, 60)}", ACCENT)
            legend.append(f": {', '.join(safe(word, 40) for word in shown[:6])}\n", ACCENT)
    heading = text.split("\n")[0]
    return Text.assemble(heading, "\n", legend, body, "\n\n")


def fixed(looked: Looked) -> Text:
    if looked.fixed is None or not looked.carrier:
        return Text()
    same = "  = alone" if answer(looked.fixed) == answer(looked.alone) else ""
    return _section(f"this run, with {safe(looked.carrier)} kept apart for each lane", same, _plain(looked.fixed))


def stack(looked: Looked) -> Text:
    """The user's frames, innermost first, each with its source and its locals."""
    sight, event = looked.run.sight, looked.run.events[looked.row]
    frames = sight.stack(looked.row) if sight is not None else []
    text = Text()
    if not frames:
        if sight is None:
            return Text("this is the traffic as it was recorded, or a run that was not observed: r replays it", "dim")
        said = "no frame of the program belongs to this row"
        text.append(said, "dim").append(f"; it is at {safe(event.at)}\n" if event.at else "\n", "dim")
        if event.at:
            _source(text, looked, event.at)
        return text
    for n, (function, at, held) in enumerate(frames):
        text.append(f"{'▶ ' if n == 0 else '  '}{safe(function, 80)}", "bold")
        text.append(f"  {safe(at)}\n", "bold dim")
        _source(text, looked, at)
        for name, value in held:
            text.append(f"    {safe(name, 60)}", f"{LANES[0]}")
            text.append(" = ")
            shown = Text(safe(value))
            for owner, words in looked.owners.foreign(looked.lane, value).items():
                for word in words:
                    _mark(shown, word, _style(looked, owner))
            text.append_text(shown).append("\n")
        text.append("\n")
    return _with_remark(text, looked)


def state(looked: Looked) -> Text:
    """Every shared thing that the run has written so far: what it holds, whose that is, who wrote it; what this step
    changed first."""
    sight, event = looked.run.sight, looked.run.events[looked.row]
    if sight is None:
        return Text("this is the traffic as it was recorded, or a run that was not observed: r replays it", "dim")
    held = sight.state(event.step)
    if not held:
        return _with_remark(Text("nothing shared was written up to here\n", "dim"), looked)
    text = Text()
    for thing in sorted(held, key=lambda thing: thing.before is None):
        text.append(f"{'◆' if thing.before is not None else ' '} {safe(thing.name, 100)}", "bold")
        text.append(f"  {safe(thing.kind, 60)}\n", "dim")
        if thing.before is not None:
            text.append("    before  ", "dim").append_text(_owned(looked, thing.before)).append("\n")
        text.append("    now     ", "dim").append_text(_owned(looked, thing.value)).append("\n")
        when = "in this step" if thing.before is not None else f"in step {thing.written_at}"
        whose = ", ".join(f"{safe(owner, 40)}'s" for owner in looked.owners.of(thing.value))
        text.append(
            f"    written by {safe(thing.writer, 40) or 'a background task'} {when}", _style(looked, thing.writer)
        )
        text.append(f"; holds {whose} data\n" if whose else "\n")
    return _with_remark(text, looked)


def upstream(looked: Looked) -> Text:
    text = Text()
    calls = looked.seen.upstream if looked.seen is not None else ()
    if looked.seen is not None:
        text.append(f"sent {'alone' if looked.view == ALONE else 'in this run'}: {len(calls)}\n", "bold")
    for name, sent in calls:
        text.append(f"{safe(name, 100)}\n", "bold dim")
        body = Text(_pretty(sent))
        for owner, words in looked.owners.foreign(looked.lane, body.plain).items():
            marked = [word for word in words if _mark(body, word, _style(looked, owner))]
            text.append(f"marked: {safe(owner, 60)}'s: {', '.join(safe(word, 40) for word in marked[:6])}\n", ACCENT)
        text.append_text(body).append("\n\n")
    text.append(f"recorded: {len(looked.exchange.upstream)}\n", "bold")
    for call in looked.exchange.upstream:
        text.append(f"{safe(call.name, 100)}\n", "bold dim").append(f"{_pretty(call.sent)}\n")
        text.append("answered\n", "bold dim").append(f"{_pretty(call.answered)}\n\n")
    return text


def logs(looked: Looked) -> Text:
    text = Text()
    made = looked.seen
    if made is None:
        return Text("of recorded traffic, what the handler logged or printed is not known: r replays it", "dim")
    for name, line in made.logs:
        text.append(f"{safe(name, 60)}  ", "bold dim")
        shown = Text(safe_block(line, 2_000))
        for owner, words in looked.owners.foreign(looked.lane, line).items():
            for word in words:
                _mark(shown, word, _style(looked, owner))
        text.append_text(shown).append("\n")
    printed = safe_block(made.output, LIMIT)
    if printed:
        text.append("\nprinted\n" if text else "printed\n", "bold").append(printed)
    return text or Text("the handler neither logged nor printed anything for this request", "dim")


def answer(outcome: Outcome | None) -> str | None:
    """What a request was answered, safe to show; None when there is no such run."""
    if outcome is None:
        return None
    if not outcome.finished:
        return "(never answered)"
    if outcome.error is not None:
        return safe_block(f"{outcome.error}{f'  at {outcome.error_at}' if outcome.error_at else ''}", LIMIT)
    status = f"{outcome.status}  " if outcome.status is not None else ""
    headers = "".join(f"\n{name}: {value}" for name, value in outcome.headers)
    return f"{status}{_pretty(outcome.body)}{safe_block(headers, 2_000)}"


def changed(before: str, after: str) -> list[tuple[int, int]]:
    """The stretches of `after` that are not in `before`, word by word; of long texts line by line."""
    pieces = re.compile(r"[^\n]*\n?") if max(len(before), len(after)) > _MOST_COMPARED * 4 else _WORD
    old, new = pieces.findall(before), pieces.findall(after)
    if max(len(old), len(new)) > _MOST_COMPARED:
        return [] if before == after else [(0, len(after))]
    ends = [0]
    for piece in new:
        ends.append(ends[-1] + len(piece))
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(ends[low], ends[high]) for how, _, _, low, high in steps if how in ("replace", "insert")]


def _owned(looked: Looked, value: str) -> Text:
    shown = Text(safe(value))
    for owner, words in looked.owners.of(value).items():
        for word in words:
            _mark(shown, word, _style(looked, owner))
    return shown


def _mark(text: Text, word: str, style: str) -> bool:
    return bool(word) and text.highlight_regex(rf"(?i){re.escape(safe(word))}", f"bold reverse {style}") > 0


def _style(looked: Looked, lane: str) -> str:
    return LANES[looked.lanes.index(lane) % len(LANES)] if lane in looked.lanes else ""


def _source(text: Text, looked: Looked, at: str) -> None:
    file, _, number = at.rpartition(":")
    lines = looked.lines(file) if file and number.isdecimal() else []
    line = int(number) if lines else 0
    for n in range(max(1, line - _AROUND), min(len(lines), line + _AROUND) + 1) if line else ():
        here = n == line
        text.append(f"  {'▶' if here else ' '}{n:>5}  {lines[n - 1]}\n", "bold" if here else "dim")


def _with_remark(text: Text, looked: Looked) -> Text:
    sight = looked.run.sight
    if sight is not None and sight.remark:
        text.append(f"\n{safe(sight.remark)}\n", "dim")
    return text


def _section(title: str, remark: str, body: Text | None) -> Text:
    return Text.assemble((f"{title}{remark}\n", "bold"), body if body is not None else "(nothing)", "\n\n")


def _plain(outcome: Outcome | None) -> Text | None:
    said = answer(outcome)
    return None if said is None else Text(said)


def _pretty(value: Any) -> str:
    return safe_block(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2), LIMIT)
