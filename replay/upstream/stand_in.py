"""What answers for the LLM and the tools while a program is replayed: nothing that it sends leaves the machine.

Every HTTP call is noted as a prompt of its request, can be suspended before it is answered and between the parts of a
stream, and can be made to fail. Who answers it is the mode's business: the trace, an echo of the whole prompt, a
function of the user's, or a server on this machine. What none of them answers is refused by name.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The functions of users and the bodies of calls have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import http.client
import inspect
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..schedule.actors import ACTOR
from ..schedule.threads import here
from .calls import UpstreamFailedError, wait, wait_in_thread
from .composing import compose
from .wire import Answer, Call, json_answer, prompt, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
MODES = ("recorded", "echo", "pass")
_PASS_TIMEOUT_S = 120.0


class UpstreamRefusedError(ConnectionError):
    """Raised in place of a call that nothing stands in for."""


class StandIn:
    """Answers the calls of one program.

    Args:
        mode: `recorded`, `echo`, `pass`, or a function of the user's that is given a call as a dict.
        sent: told of every call: its name and everything in it that the program chose.
        escape: told of what could not be answered.
        remark: told where calls are not those that the trace holds, in words.
        outside: a context in which a real connection is no escape and may take its time.
        allowed: hosts that calls may go to for real.

    Attributes:
        passing: whether a call goes to a real server at this moment.
        counts: how many calls of which name each request has made.
        recorded: by request id, the calls of the trace: name, what was sent, what was answered, in order.
    """

    def __init__(
        self,
        mode: str | Callable[[dict[str, Any]], Any],
        sent: Callable[[str, Any], None],
        escape: Callable[[str], None],
        remark: Callable[[str], None],
        outside: Callable[[], AbstractContextManager[Any]],
        allowed: tuple[str, ...] = (),
    ) -> None:
        self.mode = mode
        self.recorded: dict[str, list[tuple[str, Any, Any]]] = {}
        self.sent = sent
        self.escape = escape
        self.remark = remark
        self.outside = outside
        self.allowed = allowed
        self.passing = False
        self.counts: dict[tuple[str, str], int] = {}
        self._passed: dict[tuple[str, str, bytes, int], Answer] = {}

    def begin(self, recorded: dict[str, list[tuple[str, Any, Any]]]) -> None:
        """Another execution begins: calls are counted anew, and these are the recorded ones of its requests."""
        self.recorded = recorded
        self.counts = {}

    async def answered(self, call: Call) -> Answer:
        """The answer to a call made on the event loop.

        Raises:
            UpstreamFailedError: the search lets the call fail. UpstreamRefusedError: nothing answers it.
        """
        self.sent(call.name, call.told())
        await wait(call.name)
        return self.answer(call)

    def asked_for(self, call: Call) -> None:
        """Note a call that will be answered in a later step."""
        self.sent(call.name, call.told())
        actor = ACTOR.get(None)
        if actor is not None:
            actor.at_upstream = True

    def answered_later(self, call: Call) -> Answer:
        """The answer to a call that was noted with `asked_for`; raises as `answered` does."""
        actor = ACTOR.get(None)
        if actor is not None:
            failed, actor.at_upstream = not actor.at_upstream, False
            if failed:
                raise UpstreamFailedError(f"the call to {call.name} was made to fail")
        return self.answer(call)

    def answered_in_thread(self, call: Call) -> Answer:
        """The same for a call that blocks its thread."""
        self.sent(call.name, call.told())
        wait_in_thread(call.name)
        return self.answer(call)

    def answer(self, call: Call) -> Answer:
        """The answer, at once.

        Raises:
            UpstreamRefusedError: nothing answers it.
        """
        actor = ACTOR.get(None)
        request = actor.request if actor is not None else ""
        count = self.counts[request, call.name] = self.counts.get((request, call.name), 0) + 1
        key = f"{request} {call.name} {count}"
        if call.host in self.allowed or (self.mode == "pass" and call.host in LOOPBACK):
            return self._pass(call, request, count)
        if callable(self.mode):
            return self._stub(self.mode, call, request, key)
        if self.mode == "recorded":
            answer = self._recorded(call, request, count, key)
            if answer is not None:
                return answer
        if call.api is not None and self.mode in ("recorded", "echo"):
            return compose(call, prompt(call), key)
        self.escape(f"call to {call.host} refused (answer it with --upstream FILE.py:function, or --upstream-allow)")
        raise UpstreamRefusedError(
            f"nothing stands in for {call.method} {call.host}{urlsplit(call.url).path}: "
            "answer it with --upstream FILE.py:function, or let it through with --upstream-allow HOST"
        )

    # ---- the trace's own answers

    def _recorded(self, call: Call, request: str, count: int, key: str) -> Answer | None:
        calls = self.recorded.get(request, [])
        same = [each for each in calls if _is_for(each, call)]
        if len(same) < count:
            if any(self.recorded.values()):
                made = "1 call" if count == 1 else f"{count} calls"
                self._mismatch(request, f"made {made} of {call.name}, and the trace has {len(same)}")
            return None
        _, asked, answered = same[count - 1]
        place = _difference(_body_of(asked), call.json, "")
        if place is not None:
            self._mismatch(
                request, f"call {count} of {call.name} differs from the recorded one at {place or 'its body'}"
            )
        answer = _as_recorded(call, answered, key)
        if answer is None:
            self._mismatch(request, f"the recorded answer to call {count} of {call.name} cannot be read")
        return answer

    def _mismatch(self, request: str, what: str) -> None:
        self.remark(f"{request}: {what}" if request else what)

    # ---- the user's function

    def _stub(self, function: Callable[[dict[str, Any]], Any], call: Call, request: str, key: str) -> Answer:
        given = {
            "method": call.method,
            "url": call.url,
            "host": call.host,
            "path": urlsplit(call.url).path,
            "headers": dict(call.headers),
            "api": call.api,
            "json": call.json,
            "text": call.body.decode("utf-8", "replace"),
            "prompt": prompt(call),
            "request": request,
        }
        result = function(given)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError("the function given with --upstream is asynchronous; make it a plain def")
        if result is None:
            self.escape(f"call to {call.host} refused: the function given with --upstream returned None for it")
            raise UpstreamRefusedError(f"the function given with --upstream answers nothing for {call.name}")
        if isinstance(result, str):
            return compose(call, result, key)
        if isinstance(result, dict) and {"status", "json"} >= result.keys() and "json" in result:
            return json_answer(result["json"], int(result.get("status", 200)))
        if isinstance(result, dict):
            return json_answer(result)
        parts = tuple(part if isinstance(part, bytes) else str(part).encode() for part in result)
        return Answer(200, (("content-type", "text/event-stream; charset=utf-8"),), parts)

    # ---- a real server

    def _pass(self, call: Call, request: str, count: int) -> Answer:
        """What a real server answers. It is asked once: the same call of the same request is answered the same later,
        since thousands of executions would otherwise depend on it."""
        key = (request, f"{call.method} {call.url}", call.body, count)
        known = self._passed.get(key)
        if known is not None:
            return known
        parts = urlsplit(call.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        with self.outside():
            self.passing = True
            connection = kind(parts.hostname or "", parts.port, timeout=_PASS_TIMEOUT_S)
            try:
                skipped = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
                headers = {name: value for name, value in call.headers if name not in skipped}
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request(call.method, target, call.body or None, {**headers, "Connection": "close"})
                response = connection.getresponse()
                raw, status, given = response.read(), response.status, response.getheaders()
            except (OSError, http.client.HTTPException) as error:
                raise UpstreamRefusedError(f"{call.host} does not answer: {type(error).__name__}: {error}") from None
            finally:
                self.passing = False
                connection.close()
        kept = tuple(
            (k.lower(), v) for k, v in given if k.lower() not in ("content-length", "transfer-encoding", "connection")
        )
        answer = Answer(
            status, kept, _events(raw) if dict(kept).get("content-type", "").startswith("text/event") else (raw,)
        )
        self._passed[key] = answer
        return answer


async def parts_of(answer: Answer) -> AsyncIterator[bytes]:
    """The parts of an answer, with room for other lanes between them."""
    for number, part in enumerate(answer.parts):
        if number:
            await asyncio.sleep(0)
        yield part


def parts_in_thread(answer: Answer) -> Iterator[bytes]:
    for number, part in enumerate(answer.parts):
        if number and here() is not None:
            time.sleep(0)
        yield part


def _is_for(recorded: tuple[str, Any, Any], call: Call) -> bool:
    """Whether a recorded call went where this one goes. Spans of a tracing product name no URL, only that an LLM was
    asked, or which tool was."""
    name, asked, _ = recorded
    if isinstance(asked, dict) and isinstance(asked.get("url"), str):
        url = urlsplit(asked["url"])
        here_ = urlsplit(call.url)
        return asked.get("method", "POST") == call.method and (url.hostname, url.path) == (here_.hostname, here_.path)
    if call.api is not None:
        return "tool" not in name.lower() and "embed" not in name.lower()
    last = urlsplit(call.url).path.rstrip("/").rpartition("/")[2].lower()
    return bool(last) and last in name.lower()


def _body_of(asked: Any) -> Any:
    return asked.get("json") if isinstance(asked, dict) and "url" in asked else None


def _as_recorded(call: Call, answered: Any, key: str) -> Answer | None:
    """A recorded answer in the shape in which this call wants it."""
    if isinstance(answered, dict) and "status" in answered:
        status, kind = int(answered["status"]), str(answered.get("content_type") or "application/json")
        streamed = kind.startswith("text/event-stream")
        if "text" in answered and (streamed == call.streamed or call.api is None):
            raw = str(answered["text"]).encode("utf-8", "replace")
            return Answer(status, (("content-type", kind),), _events(raw) if streamed else (raw,))
        if "json" in answered and not call.streamed:
            return json_answer(answered["json"], status)
        if status >= 400:
            return json_answer(answered.get("json", {"error": str(answered.get("text", ""))}), status)
        if streamed:
            answered = _deltas(str(answered.get("text", "")))
    text = said(answered)
    return None if text is None else compose(call, text, key)


def _deltas(wire: str) -> str:
    """The text that a recorded stream spelled out."""
    found: list[str] = []
    for line in wire.splitlines():
        if not line.startswith("data:"):
            continue
        try:
            event = json.loads(line[5:])
        except ValueError:
            continue
        delta = event.get("delta") if isinstance(event, dict) else None
        if isinstance(delta, str):
            found.append(delta)
        elif isinstance(delta, dict):
            found.append(str(delta.get("text") or ""))
        elif isinstance(event, dict):
            choices = event.get("choices") or [{}]
            found.append(str((choices[0].get("delta") or {}).get("content") or choices[0].get("text") or ""))
    return "".join(found)


def _events(raw: bytes) -> tuple[bytes, ...]:
    """A stream of events in a few parts."""
    events = [event + b"\n\n" for event in raw.split(b"\n\n") if event.strip()]
    size = max(1, -(-len(events) // 4))
    return tuple(b"".join(events[start : start + size]) for start in range(0, len(events), size)) or (raw,)


def _difference(recorded: Any, now: Any, path: str) -> str | None:
    """The first place at which two JSON values differ; None where they do not, or nothing was recorded."""
    if recorded is None or recorded == now:
        return None
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in recorded.keys() | now.keys():
            if key not in recorded or key not in now:
                return f"{path}.{key}".lstrip(".")
            found = _difference(recorded[key], now[key], f"{path}.{key}".lstrip("."))
            if found is not None:
                return found
    if isinstance(recorded, list) and isinstance(now, list):
        for index, (one, other) in enumerate(zip(recorded, now, strict=False)):
            found = _difference(one, other, f"{path}[{index}]")
            if found is not None:
                return found
        return f"{path}[{min(len(recorded), len(now))}]"
    return path
