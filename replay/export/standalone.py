"""The part of an exported script that loads the handler, forces the schedule and says what crossed.

Exported scripts carry this module, the loop and the calling code as they stand, with their imports of each other taken
out: what a script runs is what Crosslane ran.
"""

from __future__ import annotations

import _thread
import asyncio
import importlib
import importlib.util
import inspect
import json
import logging
import os
import re
import sys
from time import sleep as real_sleep
from typing import TYPE_CHECKING, Any

from ..detect.spelled import is_events, spelled
from ..handler.bind import roles_of
from ..handler.kinds import application_kind, is_bare_factory
from ..handler.reply import Reply
from ..handler.service import Service
from ..handler.told import error_text, hear_what_is_logged, record_text
from ..schedule.actors import ACTOR
from ..schedule.databases import make_databases_patient
from ..schedule.loop import ControlledLoop
from ..schedule.primitives import install
from ..schedule.thread_loop import ThreadLoop
from ..trace.fresh_identity import Answered, Issued, places_in, rewritten
from ..upstream.calls import intercept
from .visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..schedule.actors import Actor


_LONGEST_S = 120


def load_handler(spec: str, folders: list[str]) -> Any:
    """Import `file.py:attr` or `package.module:attr`, looked for in each of the folders.

    Raises:
        LookupError: no folder has the file, or the module has no such attribute.
    """
    place, _, attribute = spec.rpartition(":")
    factory, attribute = attribute.endswith("()"), attribute.removesuffix("()")
    if place.endswith(".py"):
        file = next((f for folder in folders if os.path.isfile(f := os.path.join(folder, place))), None)
        if file is None:
            raise LookupError(f"{place} is not in {' or '.join(folders)}")
        root, parts = os.path.dirname(os.path.abspath(file)), [os.path.basename(file).removesuffix(".py")]
        while os.path.isfile(os.path.join(root, "__init__.py")):
            parts.insert(0, os.path.basename(root))
            root = os.path.dirname(root)
        sys.path[:0] = [root, *folders]
        name = ".".join(parts)
        if "." in name:
            target: Any = importlib.import_module(name)
        else:
            # By its file: another module of that name may be imported already.
            module_spec = importlib.util.spec_from_file_location(name, file)
            assert module_spec is not None
            assert module_spec.loader is not None
            target = importlib.util.module_from_spec(module_spec)
            sys.modules.setdefault(name, target)
            module_spec.loader.exec_module(target)
    else:
        sys.path[:0] = folders
        target = importlib.import_module(place)
    for part in attribute.split("."):
        if not hasattr(target, part):
            raise LookupError(f"{place} has no {attribute}")
        target = getattr(target, part)
    if not factory and not is_bare_factory(target):
        return target
    # An asynchronous factory is called at start-up, on the loop that its application will run on.
    return target if inspect.iscoroutinefunction(target) else target()


def folder_of_the_handler(spec: str, folder: str) -> str | None:
    """The nearest folder, from the one of this file upwards, that has the handler; else `folder`, if it is there.

    So a script that travels with its project finds the handler of the checkout that it stands in.
    """
    place = spec.rpartition(":")[0]
    file = place if place.endswith(".py") else place.replace(".", os.sep)
    above = os.path.dirname(os.path.abspath(__file__))
    while above != os.path.dirname(above):
        if any(os.path.exists(os.path.join(above, name)) for name in (file, f"{file}.py")):
            return above
        above = os.path.dirname(above)
    return folder if os.path.isdir(folder) else None


class UserFiles:
    """The source files in the handler's folder, which threads are switched at the lines of."""

    def __init__(self, folders: list[str]) -> None:
        self._folders = tuple(os.path.realpath(folder) + os.sep for folder in folders)

    def __contains__(self, filename: str) -> bool:
        if filename.startswith("<"):  # frozen modules and generated code have no path
            return False
        path = os.path.realpath(filename)
        libraries = ("site-packages", "dist-packages")
        return path.startswith(self._folders) and path != __file__ and not any(f in path for f in libraries)


class Heard:
    """What the program logs and sends upstream, by request id."""

    def __init__(self) -> None:
        self.logs: dict[str, list[tuple[str, str]]] = {}
        self.calls: dict[str, list[tuple[str, Any]]] = {}
        hear_what_is_logged()
        call_handlers = logging.Logger.callHandlers

        def logged(logger: logging.Logger, record: logging.LogRecord) -> None:
            self.logs.setdefault(_request_here(), []).append((record.name, record_text(record)))
            call_handlers(logger, record)

        logging.Logger.callHandlers = logged  # type: ignore[method-assign]

    def sent(self, name: str, arguments: Any) -> None:
        self.calls.setdefault(_request_here(), []).append((name, arguments))

    def texts(self, request: str) -> list[str]:
        """All that was heard while the program worked for a request."""
        calls = [f"{name} {json.dumps(sent, ensure_ascii=False)}" for name, sent in self.calls.get(request, ())]
        return [*(text for _, text in self.logs.get(request, ())), *calls]

    def at_path(self, request: str, path: str) -> str:
        """The text at `log.app.audit[0]`, `upstream.think[0].prompt` or `upstream.think[]`, which is how often."""
        for index, (name, text) in enumerate(self.logs.get(request, ())):
            if path == f"log.{name}[{index}]":
                return text
        calls = self.calls.get(request, [])
        for index, (name, sent) in enumerate(calls):
            place = f"upstream.{name}[{index}]"
            if path.startswith(place):
                return text_in(sent, path.removeprefix(place))
            if path == f"upstream.{name}[]":
                return f"called {sum(other == name for other, _ in calls)} times"
        return ""


def _request_here() -> str:
    actor = ACTOR.get(None)
    return actor.request if actor is not None else ""


class Issuing:
    """The ids that the application issues in this run, in place of those of the recording."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}

    def sent(self, request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "request": rewritten(request.get("request"), self.now)} if self.now else request

    def received(self, request: dict[str, Any], reply: Reply) -> None:
        wanted = [Issued.from_json(request["id"], each) for each in request.get("issued", ())]
        body = "".join(reply.chunks) if reply.chunks else reply.body
        there = dict(places_in(Answered(reply.headers, body))) if wanted else {}
        self.now.update({each.value: there[each.place] for each in wanted if there.get(each.place)})

    def as_recorded(self, reply: Reply) -> None:
        before = {now: recorded for recorded, now in reversed(self.now.items())}
        reply.body = rewritten(reply.body, before)
        reply.headers = [(name, rewritten(value, before)) for name, value in reply.headers]
        reply.chunks = [rewritten(part, before) for part in reply.chunks]


def force(
    handler: Any, requests: list[dict[str, Any]], schedule: list[str], faults: dict[int, str]
) -> list[tuple[dict[str, Any], Reply]]:
    """Run the requests in exactly this interleaving; once the schedule no longer fits, one lane after another."""
    loop = ControlledLoop(list(dict.fromkeys(request["lane"] for request in requests)))
    replies: list[tuple[dict[str, Any], Reply]] = []
    issuing = Issuing()
    made = asyncio.run(handler()) if is_bare_factory(handler) else handler
    kind = application_kind(made) or "function"
    service = Service(kind, handler, roles_of(handler) if kind == "function" else {})
    service.startup(loop)

    def serving(request: dict[str, Any], actor: Actor) -> Callable[[], Any]:
        call = service.call(request)

        async def serve() -> None:
            reply = Reply()
            again = issuing.sent(request)
            actor.request = request["id"]
            cancel = actor.leave
            actor.leave = lambda: reply.gone() if reply.gone is not None else cancel() if cancel is not None else None
            replies.append((request, reply))
            try:
                await (call if again is request else service.call(again))(reply)
                issuing.received(request, reply)
            except BaseException as error:
                reply.error = error
                if loop.is_closing:
                    return
            reply.finished = True
            loop.request_done(actor)

        return serve

    for request in requests:
        actor = loop.lanes[request["lane"]]
        actor.pending.append(serving(request, actor))
    steps = iter(enumerate(schedule))

    def choose(enabled: list[Actor], previous: Actor | None) -> Actor:
        for step, name in steps:
            for actor in enabled:
                if actor.name == name:
                    actor.fault = faults.get(step, "")
                    return actor
        return previous if previous in enabled else enabled[0]

    loop.run_requests(choose)
    loop.close()
    for _, reply in replies:
        issuing.as_recorded(reply)
    return replies


def shown_by(reply: Reply) -> str:
    """Everything that the request's user could see, as one text."""
    headers = [value for name, value in reply.headers if name not in ("content-length", "date")]
    parts = [json.dumps(reply.body, ensure_ascii=False), *headers, *reply.chunks]
    if isinstance(reply.body, str) and is_events(reply.body):
        parts += [text for _, text in spelled(reply.body, "body")]
    if reply.error is not None:
        parts.append(error_text(reply.error) or "")
    return "\n".join(parts)


def at_path(reply: Reply, path: str) -> str:
    """The text at a path like `body.items[0].name`, `headers.x-user`, `status` or `error`; "" where there is none."""
    place, _, rest = path.partition(".")
    if place == "headers":
        return dict(reply.headers).get(rest, "")
    if place == "error":
        return error_text(reply.error) or ""
    return str(reply.status) if place == "status" else text_in(reply.body, path.removeprefix("body"))


def text_in(value: Any, path: str) -> str:
    """The text at a path like `.items[0].name` in a JSON value; "" where there is none."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index)] if index else value[name]
        except (LookupError, TypeError):
            return ""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) else str(value)


def stands_in(value: str, text: str) -> bool:
    """Short values only as words of their own: 42 is not in 1423."""
    return value in text if len(value) >= 6 else re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def in_a_child(tell: Callable[[], str]) -> str | None:
    """What it tells in a process of its own, so that nothing of it is left here; None where that comes to no end."""
    if not hasattr(os, "fork"):
        return None
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(tell()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    try:
        return json.loads(told)
    except ValueError:
        return None


def give_up() -> None:
    """End a run that nothing can end any more: one that hangs in CI says nothing."""
    real_sleep(_LONGEST_S)
    print(f"could not tell: nothing came of it in {_LONGEST_S} s")
    sys.stdout.flush()
    os._exit(3)


def main(
    handler: str,
    folder: str,
    requests: list[dict[str, Any]],
    schedule: list[str],
    faults: dict[int, str],
    foreign: list[str],
    sink: dict[str, str],
    upstream: list[str],
    before: Callable[[list[str], Heard], Callable[[], None]] | None = None,
) -> int:
    """`before` prepares what answers HTTP calls and returns what to call once the handler is imported.

    The exit code: 1 while the bug is there, 0 once it is fixed, 2 when the handler cannot be loaded, 3 when the
    request of the sink is not answered and so shows nothing."""
    _thread.start_new_thread(give_up, ())
    reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # an answer that the terminal has no letters for is no crash
        reconfigure(errors="backslashreplace")
    spec = sys.argv[1] if len(sys.argv) > 1 else handler
    own = os.path.dirname(os.path.abspath(__file__))
    folders = list(dict.fromkeys((os.getcwd(), folder_of_the_handler(spec, folder) or folder, own)))
    files = UserFiles(folders)
    install(files, lambda: None, ThreadLoop)
    make_databases_patient()
    heard = Heard()
    try:
        loaded_now = before(folders, heard) if before is not None else None
        loaded = load_handler(spec, folders)
        if loaded_now is not None:
            loaded_now()
        intercept(upstream, getattr(loaded, "__module__", ""), files, heard.sent)

        def shown_in_sink(replies: list[tuple[dict[str, Any], Reply]]) -> str:
            reply = next(reply for request, reply in replies if request["id"] == sink["request"])
            heard_there = sink["path"].startswith(("log.", "upstream."))
            return heard.at_path(sink["request"], sink["path"]) if heard_there else at_path(reply, sink["path"])

        # What the program answers now to this lane alone: a fix may well word it otherwise.
        lane = next(request["lane"] for request in requests if request["id"] == sink["request"])
        own = [request for request in requests if request["lane"] == lane]
        told = in_a_child(lambda: shown_in_sink(force(loaded, own, [], {}))) if "path" in sink else None
        replies = force(loaded, requests, schedule, faults)
    except (Exception, SystemExit) as error:
        # Whatever its import does, down to ending the process, is no verdict.
        print(visible(f"cannot run {spec}: {type(error).__name__}: {error}"))
        return 2
    status = 3
    for request, reply in replies:
        answer = f"{type(reply.error).__name__}: {reply.error}" if reply.error is not None else reply.body
        crossed: list[str] = []
        if request["id"] == sink["request"]:
            if "path" in sink:
                now = shown_in_sink(replies)
                alone = sink["alone"] if told is None else told
                crossed = [] if now in (alone, sink["alone"]) else [f"{now!r}, alone {alone!r}"]
            else:
                shown = "\n".join((shown_by(reply), *heard.texts(request["id"]))).casefold()
                crossed = [value for value in foreign if stands_in(value, shown)]
            status = 1 if crossed else 3 if reply.error is not None or not reply.finished else 0
        print(visible(f"{'✗' if crossed else '●'} {request['lane']:<12} {answer}"[:400]))
        if crossed:
            print(visible(f"  {request['lane']} was shown {sink['source']}'s data: {', '.join(crossed)}"))
    words = {0: "fixed: nothing crossed", 1: "contaminated", 3: "could not tell: the request was not answered"}
    print(words[status])
    return status
