"""`assert_isolated`: the check as one line of a test.

A test that gathers two users once tries one interleaving of very many. This tries them all, or says how far it came;
it fails with the lanes, the carrier and the lines, and with the commands that show and reproduce what was found.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack, cast

from .api import CheckOptions, Settled, now, search
from .asking import TraceLike
from .errors import CrosslaneError
from .export.visible import visible
from .handler.http import NO_PATH
from .option_types import refuse_wrong_types, shortly

if TYPE_CHECKING:
    from .report import Finding, Result

Said: TypeAlias = str | Mapping[str, Any]
Sessions: TypeAlias = TraceLike | Mapping[str, Said | Iterable[Said]]
"""A trace, or what each user sends: `{"alice": ["I am Alice"], "bob": ["I am Bob"]}`. A text alone is one message."""

DEFAULT_SESSIONS: Mapping[str, Sequence[str]] = {
    "alice": (
        "My name is Alice Ferrante, and my account number is 4417-2093.",
        "Please send it to Quayside Lane 12 in Trieste. What do you know about me?",
    ),
    "bob": (
        "My name is Bob Okafor, and my account number is 8852-6671.",
        "Please send it to Juniper Avenue 7 in Lagos. What do you know about me?",
    ),
}
DEFAULT_BUDGET = "10s"
_MESSAGES = 'a message is a text or a request, as in {"alice": ["I am Alice", {"message": "and you?"}]}'
_OF_A_REQUEST = {"id", "user", "session", "message", "request"}


class NotIsolated(AssertionError):  # noqa: N818 - says what happened
    """What a handler was shown to do, or that nothing could be shown. `result` has it all."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def assert_isolated(
    handler: object,
    sessions: Sessions | None = None,
    *,
    allow_inconclusive: bool = False,
    **options: Unpack[CheckOptions],
) -> Result:
    """Fail unless no user of a handler is shown anything of another's, whatever the order of their steps.

    Args:
        handler: see `check`. It is imported anew in another process: fixtures and patches of this test do not reach it.
        sessions: who sends what; without it, two users who say two things about themselves.
        allow_inconclusive: whether it is fine that nothing can be said. It is a failure by itself, with the reason.
        options: those of `check`; the search takes `budget="10s"` at most unless told otherwise.

    Raises:
        NotIsolated: an `AssertionError`; something crossed that no rule allows and no baseline lists.
        CrosslaneError: the handler, the sessions or an option cannot be used.
    """
    __tracebackhide__ = True
    try:
        refuse_wrong_types({"allow_inconclusive": allow_inconclusive})
        settled = _settled(handler, sessions, options)
        result = now(search(settled, options))
    except CrosslaneError as error:
        raise _refused(error, sessions) from None  # a line that says what to do, and no way through the engine
    return _judged(result, settled, allow_inconclusive)


async def assert_isolated_async(
    handler: object,
    sessions: Sessions | None = None,
    *,
    allow_inconclusive: bool = False,
    **options: Unpack[CheckOptions],
) -> Result:
    """`assert_isolated` for tests under asyncio, whose event loop goes on meanwhile."""
    __tracebackhide__ = True
    try:
        refuse_wrong_types({"allow_inconclusive": allow_inconclusive})
        settled = _settled(handler, sessions, options)
        result = await search(settled, options)
    except CrosslaneError as error:
        raise _refused(error, sessions) from None
    return _judged(result, settled, allow_inconclusive)


def _refused(error: CrosslaneError, sessions: Sessions | None) -> CrosslaneError:
    if sessions is None and NO_PATH in error.what:
        return CrosslaneError(
            "are not given, and what an application is asked has to have a path",
            "sessions",
            'give what each user asks: {"alice": [{"request": {"method": "POST", "path": "/chat", "json": {…}}}], …}',
        )
    return error.with_traceback(None)


def requests_of(sessions: Sessions | None) -> TraceLike:
    """The sessions as a trace, turn by turn, so that the users are recorded as talking at the same time."""
    if sessions is None:
        sessions = DEFAULT_SESSIONS
    if not isinstance(sessions, Mapping):
        return sessions
    if sessions.keys() <= _OF_A_REQUEST and not sessions.keys().isdisjoint({"message", "request"}):
        raise CrosslaneError(
            "is one request, and nothing crosses from one to itself",
            "sessions",
            'give a list of requests, or what each user sends: {"alice": ["I am Alice"], "bob": ["I am Bob"]}',
        )
    by_user = {user: _messages(user, said) for user, said in sessions.items()}
    turns: list[Mapping[str, Any]] = []
    for turn in range(max(map(len, by_user.values()), default=0)):
        for user, said in by_user.items():
            if turn < len(said):
                line = said[turn]
                turns.append({"user": user, **({"message": line} if isinstance(line, str) else line)})
    return turns


def _messages(user: str, said: object) -> list[Said]:
    if isinstance(said, (str, Mapping)):
        return [cast("Said", said)]
    if not isinstance(said, Iterable) or isinstance(said, (bytes, bytearray)):
        raise CrosslaneError(f"sends {shortly(said)}, which is no list of messages", f"sessions[{user!r}]", _MESSAGES)
    messages = list(cast("Iterable[object]", said))
    for number, message in enumerate(messages, 1):
        if not isinstance(message, (str, Mapping)):
            raise CrosslaneError(
                f"message {number} is {shortly(message)}, which is no message", f"sessions[{user!r}]", _MESSAGES
            )
    return cast("list[Said]", messages)


def _settled(handler: object, sessions: Sessions | None, options: CheckOptions) -> Settled:
    __tracebackhide__ = True
    settled = Settled(requests_of(sessions), handler, options, CheckOptions)
    if not options.get("budget") and not settled.settings.budget:
        options["budget"] = DEFAULT_BUDGET
    return settled


def _judged(result: Result, settled: Settled, allow_inconclusive: bool) -> Result:
    __tracebackhide__ = True
    report = result.report
    if report.exit_code == 0 or (report.doubt and allow_inconclusive):
        return result
    if report.doubt:
        lines = [f"inconclusive: {report.doubt}", f"searched: {report.coverage.statement}"]
        lines += [f"escaped control: {escape}" for escape in report.coverage.uncontrolled]
        lines.append("allow_inconclusive=True lets this pass")
        raise NotIsolated("\n".join(visible(line, 1_000) for line in lines), result)
    known = {entry.id for entry in report.known}
    found = [finding for finding in result.findings if finding.crossing.id not in known]
    raise NotIsolated("\n\n".join(_told(finding, settled) for finding in found), result)


def _told(finding: Finding, settled: Settled) -> str:
    from .export.findings import ExportSource
    from .export.text import what_happened
    from .verdict import found_verdict

    source = ExportSource(finding.crossing, settled.handler, settled.kind, str(settled.cwd), finding)
    commands = _commands(finding, settled)
    _, reason = found_verdict(finding.crossing)
    return "\n".join(
        (visible(reason, 300), "", what_happened(source), *(f"  {label:<8} {command}" for label, command in commands))
    )


def _commands(finding: Finding, settled: Settled) -> list[tuple[str, str]]:
    """What opens and what exports a finding; none where they could not find it, because nothing can be kept."""
    from .export.findings import kept_name, save
    from .trace.redaction_key import state_folder

    with contextlib.suppress(OSError):
        identity = finding.crossing.id
        folder = state_folder()
        save((finding.crossing,), settled.handler, settled.kind, settled.cwd, folder / "findings", (finding,))
        name = kept_name(identity, settled.handler, settled.cwd)
        trace = _kept_trace(settled, folder / "traces", name)
        words = ["crosslane", "open", str(trace), settled.handler, "--cwd", str(settled.cwd)]
        words += ["--kind", settled.kind] if settled.kind else []
        found_in = [path for path in settled.path if path not in (str(settled.cwd), os.path.dirname(sys.executable))]
        before = f"PYTHONPATH={shlex.quote(os.pathsep.join(found_in))} " if found_in else ""
        opens = before + shlex.join(words)
        return [("open", opens), ("export", f"crosslane export {name} --as pytest -o test_{identity}.py")]
    return []


def _kept_trace(settled: Settled, folder: Path, name: str) -> Path:
    """The file that the trace is in, or one that it is written to, for its owner alone to read."""
    from .export.findings import drop_oldest
    from .trace.store import dump

    given = Path(settled.trace.path)
    if given.is_file():
        return given.absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{name}.jsonl"
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        dump(settled.trace.exchanges, stream)
    drop_oldest(folder, ".jsonl")
    return target
