"""Finding and importing the handler that a command names. Errors say what was looked for and what is there."""

from __future__ import annotations

import asyncio
import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import HandlerError
from .bind import roles_of
from .kinds import application_kind, is_bare_factory

if TYPE_CHECKING:
    import types

    from ..state.files import UserFiles

KINDS = ("function", "asgi", "aiohttp", "wsgi")
_LATER_KINDS = ("http",)


@dataclass(frozen=True, slots=True)
class Handler:
    """A loaded handler. `roles` is how a function's parameters are filled; empty for applications. `target` may be an
    asynchronous factory of an application, which is then called at each start-up."""

    spec: str
    kind: str
    target: Any
    file: str
    roles: dict[str, str]
    module: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a handler spec points: a file or a module, an attribute path, and whether it is called as a factory."""

    file: str | None
    module: str
    attribute: str
    factory: bool
    import_root: str


def locate(spec: str, cwd: str) -> Location:
    """Parse `path/to/file.py:attr`, `package.module:attr` or `…:factory()`.

    Raises:
        HandlerError: it has no `:attr`, or the file is not there.
    """
    if spec.startswith(("http://", "https://")):
        raise HandlerError("is a running service, and has nothing to import", spec, f"crosslane open TRACE {spec}")
    if not spec:
        raise HandlerError("the name of the handler is empty", remedy="write it like file.py:attribute")
    if os.path.isdir(os.path.join(cwd, os.path.expanduser(spec))):
        raise HandlerError("is a directory, and no handler", spec, "name a file in it, as in agent.py:handle_message")
    place, colon, attribute = spec.rpartition(":")
    if not colon or not place or not attribute or "/" in attribute or os.sep in attribute:
        raise HandlerError(
            "a handler is file.py:attribute or package.module:attribute", spec, f"try {spec.rstrip(':')}:handle_message"
        )
    factory = attribute.endswith("()")
    attribute = attribute.removesuffix("()")
    if not place.endswith(".py") and os.sep not in place:
        return Location(None, place, attribute, factory, cwd)
    file = os.path.realpath(os.path.join(cwd, os.path.expanduser(place)))
    if os.path.isdir(file):
        raise HandlerError("is a directory, and no handler", place, "name a file in it, as in agent.py:handle_message")
    if not os.path.isfile(file):
        raise HandlerError("no such file", os.path.join(cwd, place), _files_nearby(file))
    # As Python itself would import it: a file inside packages keeps its dotted name.
    root, parts = os.path.dirname(file), [os.path.basename(file).removesuffix(".py")]
    while os.path.isfile(os.path.join(root, "__init__.py")):
        parts.insert(0, os.path.basename(root))
        root = os.path.dirname(root)
    return Location(file, ".".join(parts), attribute, factory, root)


def load(location: Location, spec: str, kind: str | None, files: UserFiles) -> Handler:
    """Import the handler and settle its kind.

    Raises:
        HandlerError: the import failed (with the user's line), the attribute is missing (with what is there), the
            signature cannot be bound, or the kind is not one of `KINDS`.
    """
    if kind in _LATER_KINDS:
        raise HandlerError(f"handlers of kind {kind} are not supported yet", spec, f"known: {', '.join(KINDS)}")
    if kind is not None and kind not in KINDS:
        raise HandlerError(f"unknown kind {kind!r}", spec, f"known: {', '.join(KINDS)}")
    module = _import(location, files)
    target = _attribute(module, location, spec)
    file = getattr(module, "__file__", None) or location.file or ""
    factory = target
    if location.factory:
        target = _made(target, spec, files)
    elif kind != "function" and is_bare_factory(target):
        target = _made(target, spec, files)
        if application_kind(target) is None:
            raise HandlerError(
                "takes no parameters, so it can be neither given a request nor (by what it returned, "
                f"a {type(target).__name__}) an application factory",
                spec,
                "give it a parameter such as message, or point at the application",
            )
    settled = kind or application_kind(target) or "function"
    if settled != "function":
        if not callable(target):
            raise HandlerError(f"is a {type(target).__name__}, not an application of kind {settled}", spec)
        made_anew = is_bare_factory(factory) and inspect.iscoroutinefunction(factory)
        return Handler(spec, settled, factory if made_anew else target, file, {}, module.__name__)
    if inspect.isclass(target):
        raise HandlerError(
            "is a class", spec, f"point at an instance or a method of one, such as {target.__name__}().…"
        )
    if not callable(target):
        raise HandlerError(f"is a {type(target).__name__}, which cannot be called", spec, _callables(module))
    try:
        roles = roles_of(target)
    except (TypeError, ValueError) as error:
        raise HandlerError(
            str(error), spec, "rename the parameters, or wrap the function in one with those names"
        ) from None
    if not roles:
        raise HandlerError("takes no parameters that a request could fill", spec, "give it one such as message")
    return Handler(spec, settled, target, file, roles, module.__name__)


def load_function(spec: str, files: UserFiles) -> Any:
    """A plain function of the user's that `file.py:name` names.

    Raises:
        HandlerError: there is none, or its import failed.
    """
    if ":" not in spec:
        what = "is neither recorded, echo nor pass, nor a function"
        raise HandlerError(what, f"--upstream {spec}", "name one of these, or a function as in stub.py:answer")
    location = locate(spec, files.cwd)
    function = _attribute(_import(location, files), location, spec)
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise HandlerError("is no plain function", spec, "give a def that takes the call as a dict and returns a text")
    return function


def _import(location: Location, files: UserFiles) -> types.ModuleType:
    for path in (files.cwd, location.import_root):
        if path not in sys.path:
            sys.path.insert(0, path)
    try:
        if location.file is None:
            return importlib.import_module(location.module)
        present = sys.modules.get(location.module)
        if present is not None and os.path.realpath(getattr(present, "__file__", None) or "") == location.file:
            return present
        if "." in location.module:
            importlib.import_module(location.module.rpartition(".")[0])
        # A file named like a module that is already imported (code.py, trace.py) must not displace it.
        name = location.module if present is None else f"{location.module}_"
        module_spec = importlib.util.spec_from_file_location(name, location.file)
        assert module_spec is not None
        assert module_spec.loader is not None
        module = importlib.util.module_from_spec(module_spec)
        sys.modules[name] = module
        module_spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        if location.file is None and error.name and (location.module + ".").startswith(error.name + "."):
            raise HandlerError(
                f"no module named {error.name!r}",
                location.module,
                f"looked in {files.cwd} and in the packages of {sys.executable}; use --cwd or --python",
            ) from None
        raise _import_error(error, location, files) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _import_error(error, location, files) from None
    return module


def _import_error(error: BaseException, location: Location, files: UserFiles) -> HandlerError:
    where = location.file or location.module
    if isinstance(error, SyntaxError) and error.filename:
        where = files.at(error.filename, error.lineno or 0)
    else:
        for frame, line in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename in files:
                where = files.at(frame.f_code.co_filename, line)
    text = str(error).splitlines()[0] if str(error) else ""
    what = f"importing the handler failed with {type(error).__name__}{': ' + text if text else ''}"
    remedy = ""
    if isinstance(error, ModuleNotFoundError):
        remedy = f"it is not installed for {sys.executable}; use --python with the interpreter of your project"
    elif type(error).__name__ == "HandlerBlocked":
        remedy = "raise --blocked-after if it is only slow"
    elif isinstance(error, SystemExit):
        remedy = "guard the script's main part with if __name__ == '__main__'"
    return HandlerError(what, where, remedy)


def _attribute(module: types.ModuleType, location: Location, spec: str) -> Any:
    target: Any = module
    for part in location.attribute.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            raise HandlerError(f"{module.__name__} has no attribute {part!r}", spec, _callables(module, part)) from None
    return target


def _callables(module: types.ModuleType, wanted: str = "") -> str:
    here = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and (getattr(value, "__module__", None) == module.__name__ or application_kind(value) is not None)
        and not inspect.isclass(value)
    ]
    if not here:
        return "it defines no function or application"
    close = difflib.get_close_matches(wanted, here, n=1) if wanted else []
    return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(here[:8])}"


def _files_nearby(file: str) -> str:
    folder = os.path.dirname(file)
    if not os.path.isdir(folder):
        return "its folder does not exist either; the path is relative to the current directory"
    names = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
    close = difflib.get_close_matches(os.path.basename(file), names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"the folder has {', '.join(names[:6])}" if names else "the folder has no Python file"


def _made(factory: Any, spec: str, files: UserFiles) -> Any:
    try:
        made = factory()
        return asyncio.run(made) if inspect.iscoroutine(made) else made
    except Exception as error:
        where = spec
        for frame, line in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename in files:
                where = files.at(frame.f_code.co_filename, line)
        raise HandlerError(f"calling the factory failed with {type(error).__name__}: {error}", where) from None
