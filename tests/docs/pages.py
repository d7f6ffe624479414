"""The pages as programs: code blocks, files to make, commands with the exit code that each must have.

An HTML comment before a block, which readers do not see, says what is special about it:

    <!-- file: app.py -->      the block is the content of that file
    <!-- exits 1 0 -->         the exit codes of its commands, where they are not 0
    <!-- needs: node -->       skipped where that program is missing
    <!-- run elsewhere: why -->   not run here, because it runs in another place, which is named
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^(?P<before>(?: *<!--[^>]*-->\n+)*)^( *)```(?P<kind>\w*)\n(?P<text>.*?)^\2```", re.M | re.S)
_NOTE = re.compile(r"<!--\s*(?P<what>file|exits|needs|run elsewhere):?\s+(?P<value>[^>]*?)\s*-->")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: its language, its text without indentation, and what the comments before it say."""

    kind: str
    text: str
    line: int
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """One command line of a block, without prompt and comment, and what it must exit with.

    `output` is what the page shows of its output, empty where it shows none."""

    line: str
    at: int
    exits: int
    output: tuple[str, ...] = ()
    needs: str = ""


def blocks(page: str) -> list[Block]:
    found: list[Block] = []
    for match in _BLOCK.finditer(page):
        notes = {m["what"]: m["value"] for m in _NOTE.finditer(match["before"] or "")}
        indent = len(match[2])
        text = "".join(line[indent:] for line in match["text"].splitlines(keepends=True))
        found.append(Block(match["kind"], text, page.count("\n", 0, match.start("text")) + 1, notes))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a `sh` block, or of a session: `$ command` and its output."""
    if "run elsewhere" in block.notes or block.kind not in ("sh", "console"):
        return []
    exits = [int(code) for code in block.notes.get("exits", "").split()]
    lines: list[tuple[str, int, list[str]]] = []
    continued = ""
    for number, line in enumerate(block.text.splitlines(), block.line):
        if block.kind == "console" and not line.startswith("$ "):
            if lines:
                lines[-1][2].append(line)
            continue
        text = f"{continued} {line.removeprefix('$ ').lstrip()}" if continued else line.removeprefix("$ ")
        if text.endswith("\\"):
            continued = text[:-1].rstrip()
            continue
        continued = ""
        if text.strip() and not text.lstrip().startswith("#"):
            lines.append((re.sub(r"\s+#\s.*", "", text), number, []))
    return [
        Command(text, at, exits[n] if n < len(exits) else 0, tuple(shown), block.notes.get("needs", ""))
        for n, (text, at, shown) in enumerate(lines)
    ]


def differs(shown: tuple[str, ...], printed: str) -> str:
    """The first line that a page shows and that was not printed, in order; numbers and `…` match anything."""
    rest = iter(printed.splitlines())
    for line in shown:
        if not line.strip():
            continue
        pattern = re.compile(re.sub(r"\d+(?:[.,]\d+)*", r"[\\d.,]+", re.escape(line.rstrip())).replace("…", ".*"))
        if not any(pattern.fullmatch(each.rstrip()) for each in rest):
            return line
    return ""
