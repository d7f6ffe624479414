"""Reading and writing the content of one mutable thing, one level deep, without running code of the program."""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import os
import threading
import types
import warnings
from array import array
from collections import OrderedDict, deque
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

from . import caches, inside_c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUILTIN_FORMS: tuple[tuple[type, str], ...] = (
    (OrderedDict, "ordered"),
    (dict, "dict"),
    (list, "list"),
    (set, "set"),
    (deque, "deque"),
    (bytearray, "bytearray"),
    (array, "array"),
)
# Containers of libraries, written in C, by top-level module and class.
FOREIGN_FORMS = {
    ("multidict", "MultiDict"): "multidict",
    ("multidict", "CIMultiDict"): "multidict",
    ("frozenlist", "FrozenList"): "frozenlist",
}
# Where an object of a library keeps what its users hand to it: by class, the attribute with the dict, and its form.
DRAWERS = {
    ("starlette", "State"): ("_state", "names"),
    ("aiohttp", "Application"): ("_state", "dict"),
}
_ITERATORS = (type(iter([])), type(iter(())))
LARGEST_FILE = 4_000_000
_MOST_LAYOUTS = 5_000
_MISSING: Any = object()

# As `id`, but no audit event, which costs more than all else where a hook listens.
identity = object.__hash__
_CLASS_INTERNALS = frozenset({"__dict__", "__weakref__", "__doc__", "__module__", "__abstractmethods__", "_abc_impl"})


def read(form: str, target: Any) -> Any:
    """A shallow copy of the content; None for `attributes` of something that has none."""
    match form:
        case "namespace":
            return dict(vars(target))
        case "class":
            members = type.__dict__["__dict__"].__get__(target)
            return {k: v for k, v in members.items() if k not in _CLASS_INTERNALS}
        case "attributes":
            return _attributes(target)
        case "dict" | "names":
            # To copy one of another class would ask its own methods.
            return dict.copy(target) if type(target) is dict else dict(dict.items(target))
        case "ordered":
            return dict(OrderedDict.items(target))
        case "list":
            return list.copy(target)
        case "set":
            return set.copy(target)
        case "deque":
            return deque.copy(target)
        case "bytearray":
            return bytes(target)
        case "array":
            return array.tobytes(target)
        case "defaults":
            return (target.__defaults__, dict(target.__kwdefaults__ or {}))
        case "cell":
            try:
                return (target.cell_contents,)
            except ValueError:
                return ()
        case "random":
            return target.getstate()
        case "lock":
            return target.locked()
        case "environ":
            # Its own bytes: decoded texts would be made anew at each look.
            return {_decoded(key): value for key, value in _raw_environment().items()}
        case "file":
            return read_file(target)
        case "directory":
            return os.getcwd()
        case "database" | "context" | "generator" | "locals" | "stream":
            return inside_c.read(form, target)
        case "multidict":
            return tuple(target.items())
        case "frozenlist":
            return tuple(target)
        case _:  # cache
            return caches.read(target)


def write(form: str, target: Any, content: Any) -> None:
    """Make the content what `read` gave; members that are still the same are left alone."""
    match form:
        case "namespace":
            _assign(vars(target), content)
        case "class":
            _assign_class(target, content)
        case "attributes":
            _assign_attributes(target, content)
        case "dict" | "names":
            dict.clear(target)
            dict.update(target, content)
        case "ordered":
            OrderedDict.clear(target)
            OrderedDict.update(target, content)
        case "list":
            list.__setitem__(target, slice(None), content)
        case "set":
            set.clear(target)
            set.update(target, content)
        case "deque":
            deque.clear(target)
            deque.extend(target, content)
        case "bytearray":
            bytearray.__setitem__(target, slice(None), content)
        case "array":
            _write_array(target, content)
        case "database" | "context" | "generator" | "locals" | "stream":
            inside_c.write(form, target, content)
        case "defaults":
            defaults, keyword = content
            if target.__defaults__ is not defaults:
                target.__defaults__ = defaults
            if target.__kwdefaults__:
                _assign(target.__kwdefaults__, keyword)
        case "cell":
            if content:
                target.cell_contents = content[0]
        case "random":
            target.setstate(content)
        case "lock":
            if not content:
                target.unlock()
        case "environ":
            if len(_raw_environment()) != len(content) or not same(read(form, target), content):
                os.environb.clear()
                os.environb.update({os.fsencode(key): value for key, value in content.items()})
        case "file":
            write_file(target, content)
        case "directory":
            if os.getcwd() != content:
                os.chdir(content)
        case "multidict":
            if not same(tuple(target.items()), content):
                target.clear()
                target.extend(content)
        case "frozenlist":
            if not target.frozen and not same(tuple(target), content):
                target[:] = content
        case _:  # cache
            caches.write(target, content)


_decoded = functools.cache(os.fsdecode)


def _raw_environment() -> dict[bytes, bytes]:
    return os.environ._data  # type: ignore[attr-defined]


def read_file(path: str) -> bytes | None:
    """What stands in the file; None where there is none, or it is too large to be kept."""
    try:
        if os.path.getsize(path) > LARGEST_FILE:
            return None
        with io.open_code(path) as file:
            return file.read()
    except OSError:
        return None


def write_file(path: str, content: bytes | None) -> None:
    """Make the file what `read_file` gave."""
    if read_file(path) == content:
        return
    with contextlib.suppress(OSError):
        if content is None:
            os.unlink(path)
        else:
            with open(path, "wb") as file:
                file.write(content)


def can_be_put_back(form: str, target: Any, content: Any) -> bool:
    """Whether `write` can make the content what `content` is, which was read earlier."""
    if form == "frozenlist":
        return not target.frozen
    return form != "cache" or caches.can_be_put_back(target, content)


def same(one: Any, other: Any) -> bool:
    """Whether two contents hold the same members, by identity: `==` would run code of the program."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        # In the same order too: what was taken out and put back stands last.
        return len(one) == len(other) and all(map(is_, one, other)) and all(map(is_, one.values(), other.values()))
    if isinstance(one, tuple) and one and all(type(pair) is tuple for pair in one):
        return len(one) == len(other) and all(a is b or _same_pair(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (list, tuple, deque)):
        if len(one) == 2 and issubclass(type(one), tuple) and issubclass(type(one[1]), dict):
            return one[0] is other[0] and same(one[1], other[1])
        return len(one) == len(other) and all(a is b or _same_numbers(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, set):
        return len(one) == len(other) and set(map(identity, one)) == set(map(identity, other))
    return bool(one == other)  # bytes, numbers: nothing of the program's


def unchanged(form: str, target: Any, first: Any) -> bool:
    """Whether the content is still `first`, which was read earlier. Most of a program's state never changes, and is
    compared without making a copy of it."""
    if form == "cache":
        return caches.is_as(target, first)
    return _is_untouched(form, target, first) or same(read(form, target), first)


def _is_untouched(form: str, target: Any, first: Any) -> bool:
    """False where it takes a closer look."""
    match form:
        case "defaults":
            return target.__defaults__ is first[0] and not first[1] and not target.__kwdefaults__
        case "cell":
            try:
                return bool(first) and target.cell_contents is first[0]
            except ValueError:
                return False
        case "namespace":
            return same(vars(target), first)
        case "class":
            return _has_members(target, first)
        case "dict" | "names":
            return type(target) is dict and same(target, first)
        case "list":
            return type(target) is list and len(target) == len(first) and all(map(is_, target, first))
        case _:
            return False


def _same_numbers(one: Any, other: Any) -> bool:
    """The inner part of a random generator's state, which is made anew each time it is asked for."""
    return type(one) is type(other) is tuple and {*map(type, one), *map(type, other)} == {int} and one == other


def _same_pair(one: Any, other: Any) -> bool:
    """Items of a multidict, which are made anew each time they are asked for."""
    if type(other) is not tuple or len(one) != 2 or len(other) != 2 or not issubclass(type(one[0]), str):
        return False
    value = one[1] is other[1] or (type(one[1]) is type(other[1]) is str and one[1] == other[1])
    return value and issubclass(type(other[0]), str) and str.__eq__(one[0], other[0])


def members(form: str, target: Any, called: Callable[[Any], str] | None = None) -> Iterator[tuple[str, Any]]:
    """The members of a builtin container with the text that goes between the brackets of their name: `called` gives it
    for a key that is an object."""
    if form in ("dict", "ordered", "names"):
        for key, value in dict.items(target):
            shown = called(key) if called is not None else f"<{type(key).__name__}>"
            yield (repr(key) if type(key) in (str, int, bool, float) else shown), value
    elif form in ("list", "deque", "set"):
        base: Any = {"list": list, "deque": deque, "set": set}[form]
        for index, value in enumerate(base.__iter__(target)):
            yield str(index), value


def handed_out(target: Any) -> list[Any]:
    """What one of Python's iterators over a list or tuple, or a `cycle` of one, gives in turn. It does not move on."""
    cls = type(target)
    if cls is not itertools.cycle and cls not in _ITERATORS:
        return []
    # Later versions of Python warn of asking a `cycle` this, and then it cannot be told.
    with warnings.catch_warnings(), contextlib.suppress(TypeError):
        warnings.simplefilter("ignore")
        if cls in _ITERATORS:
            return list(target.__reduce__()[1][0])
        if cls is itertools.cycle:
            _, (rest,), (passed, _) = target.__reduce__()
            return [*passed, *handed_out(rest)]
    return []


def drawer(cls: type) -> tuple[str, str] | None:
    """The attribute in which instances keep what is their user's, and its form; see `DRAWERS`."""
    for base in type.__dict__["__mro__"].__get__(cls):
        module: Any = base.__module__
        if isinstance(module, str) and (found := DRAWERS.get((module.partition(".")[0], base.__name__))):
            return found
    return None


def has_slots(cls: type) -> bool:
    return bool(_layout_of(cls).slots)


def has_attributes(value: Any) -> bool:
    """Whether it is an object that has attributes rather than a class, a function, a module or a builtin."""
    if issubclass(type(value), (type, types.FunctionType, types.ModuleType)):
        return False
    return own_dict(value) is not None or has_slots(type(value))


def own_dict(target: Any) -> dict[str, Any] | None:
    """The instance's `__dict__` itself, or None. Reached by descriptor, so that no code of the program runs."""
    if type(target) is threading.local:
        return target.__dict__
    attributes = _layout_of(type(target)).attributes
    return None if attributes is None else attributes.__get__(target)


class _Layout(NamedTuple):
    """Where instances of a class keep what they hold; a class never changes that."""

    cls: type
    attributes: types.GetSetDescriptorType | types.MemberDescriptorType | None
    slots: tuple[tuple[str, types.MemberDescriptorType], ...]


_layouts: dict[int, _Layout] = {}


def _layout_of(cls: type) -> _Layout:
    # By address, because a class can have a hash of the program's. What is kept shares its address with no other.
    known = _layouts.get(identity(cls))
    if known is None:
        if len(_layouts) >= _MOST_LAYOUTS:
            _layouts.clear()
        known = _layouts[identity(cls)] = _Layout(cls, _attributes_of(cls), tuple(_slots_of(cls)))
    return known


def _attributes_of(cls: type) -> types.GetSetDescriptorType | types.MemberDescriptorType | None:
    for base in type.__dict__["__mro__"].__get__(cls):
        member = type.__dict__["__dict__"].__get__(base).get("__dict__")
        if isinstance(member, (types.GetSetDescriptorType, types.MemberDescriptorType)):
            return member
    return None


def _slots_of(cls: type) -> Iterator[tuple[str, types.MemberDescriptorType]]:
    for base in type.__dict__["__mro__"].__get__(cls):
        if base.__module__ == "builtins":
            continue
        for name, member in type.__dict__["__dict__"].__get__(base).items():
            if isinstance(member, types.MemberDescriptorType) and name != "__dict__":
                yield name, member


def _attributes(target: Any) -> dict[str, Any] | None:
    mine = own_dict(target)
    found = dict(mine) if mine is not None else None
    for name, member in _layout_of(type(target)).slots:
        try:
            value = member.__get__(target)
        except AttributeError:
            continue
        found = found if found is not None else {}
        found.setdefault(name, value)
    return found


def _write_array(target: array[Any], content: bytes) -> None:
    if array.tobytes(target) == content:
        return
    view = memoryview(target).cast("B")
    if len(view) == len(content):
        view[:] = content  # which does as well where somebody looks into its memory, and so it must not grow
        return
    view.release()
    array.__delitem__(target, slice(None))
    array.frombytes(target, content)


def _assign(namespace: dict[Any, Any], content: dict[Any, Any]) -> None:
    if type(namespace) is dict and len(namespace) == len(content) and all(map(is_, namespace, content)):
        if not all(map(is_, namespace.values(), content.values())):
            pairs = zip(content.items(), namespace.values(), strict=True)
            namespace.update({key: first for (key, first), now in pairs if now is not first})
        return
    for key, value in content.items():
        if namespace.get(key, _MISSING) is not value:
            namespace[key] = value
    if len(namespace) != len(content):
        for key in [k for k in namespace if k not in content]:
            del namespace[key]
    if not all(map(is_, namespace, content)):  # taken out and put back, which has moved it to the end
        for key, value in content.items():
            del namespace[key]
            namespace[key] = value


def _has_members(cls: type, content: dict[str, Any]) -> bool:
    members = type.__dict__["__dict__"].__get__(cls)
    if not all(map(is_, map(members.get, content, itertools.repeat(_MISSING)), content.values())):
        return False
    return len(members) == len(content) + len(_CLASS_INTERNALS & members.keys())


def _assign_class(cls: type, content: dict[str, Any]) -> None:
    if _has_members(cls, content):
        return
    members = type.__dict__["__dict__"].__get__(cls)
    for key, value in content.items():
        if members.get(key, _MISSING) is not value:
            type.__setattr__(cls, key, value)
    for key in [k for k in members if k not in content and k not in _CLASS_INTERNALS]:
        type.__delattr__(cls, key)


def _assign_attributes(target: Any, content: dict[str, Any] | None) -> None:
    mine = own_dict(target)
    slots = dict(_layout_of(type(target)).slots)
    if not slots and mine is not None:
        _assign(mine, content or {})
        return
    for name, member in slots.items():
        if content is not None and name in content:
            with contextlib.suppress(AttributeError, TypeError):  # read-only: then nothing has changed it either
                member.__set__(target, content[name])
        else:
            try:
                member.__delete__(target)
            except (AttributeError, TypeError):
                continue
    if mine is not None:
        _assign(mine, {k: v for k, v in (content or {}).items() if k not in slots})
