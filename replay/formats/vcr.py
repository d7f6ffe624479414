"""VCR.py cassettes: the upstream calls of one run of a program, without times and without the requests they served.

A cassette becomes one exchange that only holds its calls, which is what a stub of the LLM needs. YAML is read by the
safe loader alone, and only where the package for it is installed.
"""

# Decoded JSON and YAML are taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..errors import TraceError
from ..trace.model import Exchange, Json, Request
from .found import Dropped, Format, Found
from .json_stream import Broken, NoJson, elements, value_of
from .record import Headers, Recorded, decoded, header, upstream_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .found import Item, Reading, Source

_YAML = re.compile(rb"(?:#[^\n]*\n|---[^\n]*\n|version:[^\n]*\n|\s)*interactions:\s*(?:\n|\[)")
_JSON = re.compile(rb'\s*\{\s*(?:"version"\s*:\s*\d+\s*,\s*)?"interactions"\s*:\s*\[')
_DEEPEST = 100
_LOSSY = ("no times: kept in the order of the file", "upstream calls only: the requests they served are not there")


def detects(source: Source) -> bool:
    """A JSON or YAML document whose main member is `interactions`."""
    return any(pattern.match(source.head) for pattern in (_YAML, _JSON))


def read(source: Source, _: Reading) -> Iterator[Item]:
    """One exchange with all calls of the cassette, and what could not be read of it.

    Raises:
        TraceError: it is YAML, and the package that reads YAML is not installed.
    """
    calls: list[Json] = []
    for number, interaction in enumerate(_interactions(source), 1):
        place = f"{source.name}#{number}"
        if isinstance(interaction, Dropped):
            yield interaction
            continue
        try:
            calls.append(upstream_of(_record(place, len(calls) + 1, interaction)))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
            yield Dropped(place, f"is no interaction of a cassette ({type(error).__name__})")
    if calls:
        name = f"cassette {PurePath(source.name).stem}"
        request = Request("", name, None, 1, None, {}, 1, (), "needs-body", source.name)
        yield Found(Exchange(request, None, tuple(calls)), _LOSSY)


FORMAT = Format("vcr", detects, read)


def _interactions(source: Source) -> Iterator[Json]:
    if _JSON.match(source.head):
        yield from _of_json(source)
        return
    try:
        import yaml
    except ImportError:
        raise TraceError(
            "is YAML, which needs the PyYAML package", source.name, 'run pip install "crosslane[vcr]"'
        ) from None
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if _is_deep(source, yaml, loader):
            yield Dropped(source.name, "is nested too deeply")
            return
        with source.opened() as stream:
            document = yaml.load(stream, loader)  # the safe loader, in C where there is one
    except (yaml.YAMLError, ValueError, RecursionError):
        yield Dropped(source.name, "is not YAML")
        return
    found = document.get("interactions") if isinstance(document, dict) else None
    yield from found if isinstance(found, list) else ()


def _of_json(source: Source) -> Iterator[Json]:
    number = 0
    with source.opened() as stream:
        try:
            for number, element in enumerate(elements(stream, ("interactions",)), 1):
                try:
                    yield value_of(element)
                except NoJson as error:
                    yield Dropped(f"{source.name}#{number}", str(error))
        except Broken:
            yield Dropped(f"{source.name}#{number + 1}", "the file is cut off or broken here; what came before is kept")


def _is_deep(source: Source, yaml: Any, loader: Any) -> bool:
    """Whether the document is nested deeper than the loader in C can bear, which has no limit of its own."""
    depth = 0
    with source.opened() as stream:
        for event in yaml.parse(stream, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                return True
    return False


def _record(place: str, number: int, interaction: dict[str, Json]) -> Recorded:
    request, response = interaction["request"], interaction["response"]
    headers, reply_headers = _headers(request.get("headers")), _headers(response.get("headers"))
    reply = _body(response.get("body"))
    encoding = header(reply_headers, "content-encoding")
    if isinstance(reply, bytes) and encoding:
        reply, _ = decoded(reply, encoding)
    method, uri = request["method"], request["uri"]
    if not isinstance(method, str) or not isinstance(uri, str):
        raise TypeError("method or uri")
    body = _body(request.get("body"))
    return Recorded(place, method, uri, headers, body, number, number, None, reply_headers, reply)


def _headers(value: Json) -> Headers:
    """Each name has a list of values; only texts are taken, since YAML can make anything else grow."""
    items = value.items() if isinstance(value, dict) else ()
    return tuple(
        (name, one)
        for name, many in items
        for one in (many if isinstance(many, list) else [many])
        if isinstance(name, str) and isinstance(one, str)
    )


def _body(value: Json) -> str | bytes | None:
    if isinstance(value, dict):
        if isinstance(value.get("base64_string"), str):
            return base64.b64decode(value["base64_string"])
        value = value.get("string")
    return value if isinstance(value, (str, bytes)) else None
