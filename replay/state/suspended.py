"""How suspended coroutines, generators and the frames of exceptions are pictured.

They are their code, where it stands, the names that are bound, and all that their frames hold, the evaluation stack
included.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from ..schedule.execute import SERVING
from ..schedule.reduction import IrreducibleError
from .content import identity

if TYPE_CHECKING:
    from .picture import Picture

_OUR_FRAMES = ("/schedule/execute.py",)


def coroutine(picture: Picture, thing: Any) -> None:
    _suspended(picture, "coroutine", thing, thing.cr_frame, thing.cr_running, thing.cr_await, thing.cr_code)


def generator(picture: Picture, thing: Any) -> None:
    _suspended(picture, "generator", thing, thing.gi_frame, thing.gi_running, thing.gi_yieldfrom, thing.gi_code)


def async_generator(picture: Picture, thing: Any) -> None:
    _suspended(picture, "asyncgen", thing, thing.ag_frame, False, thing.ag_await, thing.ag_code)
    picture.parts.append(thing.ag_running)


def _suspended(picture: Picture, kind: str, thing: Any, frame: Any, running: bool, awaited: Any, code: Any) -> None:
    if running:
        raise IrreducibleError("a coroutine is running")
    picture.parts += (kind, picture.static.number(code))
    if frame is None:
        picture.parts.append("done")
        return
    if awaited is not None:
        picture.awaited.add(identity(awaited))
    bound = frame.f_locals
    picture.parts += (frame.f_lasti, len(bound), *bound)
    if code is SERVING:  # ours: of what it holds, no more than this can change or be changed
        held = [bound.get("call"), bound.get("reply"), awaited]
    else:
        # The local names and the evaluation stack, in this order; the frame, what shows it and its code are no
        # part of it.
        held = [
            each for each in gc.get_referents(thing) if each is not frame and each is not bound and each is not code
        ]
    if type(bound) is dict:
        bound.clear()  # it is a copy, and would keep what it holds alive
    picture.push("holds", held)


def frame(picture: Picture, frame: Any) -> None:
    """One that an exception has left: its names. Those of suspended coroutines are pictured by them."""
    picture.parts += ("frame", picture.static.number(frame.f_code), frame.f_lasti)
    if frame.f_code.co_filename.endswith(_OUR_FRAMES):
        return
    bound = frame.f_locals
    inside = [part for pair in list(bound.items()) for part in pair]
    if type(bound) is dict and bound is not frame.f_globals:
        bound.clear()
    picture.push("holds", inside)


def traceback(picture: Picture, trace: Any) -> None:
    picture.parts += ("traceback", trace.tb_lasti, trace.tb_lineno)
    picture.push("of", [trace.tb_frame, trace.tb_next])
