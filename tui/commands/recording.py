"""`crosslane record`: a reverse proxy in front of a running service, with a line for each lane while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.text import Text

from ...replay.errors import CrosslaneError
from ..safe_text import safe
from .declared import Option
from .live_lanes import LiveLanes
from .redacting import tell_unmet

if TYPE_CHECKING:
    from ...replay.record.recorder import Recorder
    from ...replay.record.relay import Relay

_EVERYWHERE = ("0.0.0.0", "::", "")


def record(
    to: Annotated[str, Option(help="The service to record: http://127.0.0.1:8000")],
    output: Annotated[Path, Option(names=("-o", "--output"), help="The trace to write.")] = Path("trace.jsonl"),
    port: Annotated[int, Option(help="Listen on this port; 0 takes a free one.")] = 9000,
    host: Annotated[str, Option(help="Listen on this address; other machines cannot reach the default.")] = (
        "127.0.0.1"
    ),
    session: Annotated[
        list[str] | None, Option(help="Where the session stands: header:x-session-id, body:chat.id, path:1")
    ] = None,
    user: Annotated[list[str] | None, Option(help="Where the user stands: body:user_id, jwt:sub")] = None,
    redact: Annotated[
        list[str] | None,
        Option(help="Replace this too: header:NAME, query:NAME, json:$.user.email, pattern:REGEX, kind:email"),
    ] = None,
    no_redact: Annotated[bool, Option(names=("--no-redact",), help="Keep credentials as they are.")] = False,
    append: Annotated[bool, Option(names=("--append",), help="Add to a trace that is there already.")] = False,
    part_mb: Annotated[int, Option(help="Begin another file after so many MB; closed ones are compressed.")] = 64,
) -> None:
    """Record what passes between clients and a service, streams and websockets included. Ctrl-c ends it in order."""
    from ...replay.record.service import started
    from ...replay.record.settings import Settings
    from ...replay.record.writer import Limits
    from ...replay.trace.identity import Rules

    Rules(tuple(session or ()), tuple(user or ()))
    if redact and no_redact:
        raise CrosslaneError("--redact and --no-redact exclude each other", remedy="give one of them")
    if not append and _is_there(output):
        raise CrosslaneError("is there already", str(output), "give another -o, or --append")
    console = Console(stderr=True)
    lanes = LiveLanes(console)
    try:
        recorder = started(
            Settings(
                str(output),
                source="proxy",
                session=tuple(session or ()),
                user=tuple(user or ()),
                redact=None if no_redact else tuple(redact or ()),
                header={"to": to},
                limits=Limits(part_bytes=max(1, part_mb) << 20),
            ),
            told=lanes.told,
        )
    except OSError as error:
        raise CrosslaneError(f"cannot be written: {error.strerror}", str(output)) from None
    try:
        asyncio.run(_serve(to, recorder, host, port, lanes, console))
    finally:
        recorder.close()
        if not recorder.exchanges and not append:
            # A file without a request is no trace, and would be in the way of the next attempt.
            output.unlink(missing_ok=True)
    _summary(console, recorder, lanes, output)


async def _serve(to: str, recorder: Recorder | Relay, host: str, port: int, lanes: LiveLanes, console: Console) -> None:
    from ...replay.record.proxy import Proxy

    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(each, done.set)
    async with Proxy(to, recorder, host, port) as proxy:
        console.print(
            Text(f"recording http://{_shown(host)}:{proxy.port} -> {safe(to)} into {safe(str(recorder.path))}", "bold"),
            soft_wrap=True,
        )
        if host in _EVERYWHERE:
            console.print(Text("every machine that can reach this one can send requests through it", "yellow"))
        console.print(Text("send your clients there; ctrl-c ends the recording", "dim"))
        with lanes.shown():
            await done.wait()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_there(output: Path) -> bool:
    from ...replay.trace.events import parts

    if not output.exists() and not output.parent.is_dir():
        raise CrosslaneError("no such folder", str(output.parent), "make it, or give another -o")
    try:
        return bool(parts(output))
    except CrosslaneError:
        return output.is_dir()


def _summary(console: Console, recorder: Recorder | Relay, lanes: LiveLanes, output: Path) -> None:
    if not recorder.exchanges:
        console.print(Text("nothing was recorded: no request came", "yellow"))
        return
    lost = f", {recorder.lost} events lost because the disk could not keep up" if recorder.lost else ""
    console.print(
        Text(f"recorded {recorder.exchanges} exchanges of {lanes.count} lanes into {safe(str(output))}{lost}"),
        soft_wrap=True,
    )
    if lanes.unnamed:
        console.print(
            Text(
                f"{lanes.unnamed} requests named neither session nor user, so each connection is a lane; "
                "say where they stand with --session and --user",
                "yellow",
            ),
            soft_wrap=True,
        )
    tell_unmet(console, recorder.unmet)
    console.print(Text(f"next: crosslane audit {safe(os.path.relpath(output))}", "dim"), soft_wrap=True)
