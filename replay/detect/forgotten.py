"""A session that no longer sees its own earlier turn: isolated, but the conversation is lost.

Known only where the trace holds the recorded answer: it used something from an earlier turn of the same session, and
the answer of the code as it is now does not. A remark, never a contamination.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values import leaves, observations, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..run import Outcome
    from ..trace.model import Exchange, Request


def lost_turns(exchanges: Iterable[Exchange], solo: Mapping[str, Outcome]) -> list[str]:
    """One sentence a session, naming the earliest turn that was lost. `solo` is by request id."""
    turns: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        turns.setdefault(exchange.request.session, []).append(exchange)
    warnings: list[str] = []
    for session, conversation in turns.items():
        if not any(exchange.request.id in solo for exchange in conversation):
            continue
        turn_of: dict[str, int] = {}  # the earliest that said the word
        for number, exchange in enumerate(conversation, 1):
            lost = _lost(exchange, solo.get(exchange.request.id), turn_of)
            if lost:
                warnings.append(f"isolated, but session {session} lost its own turn {min(turn_of[w] for w in lost)}")
                break
            for word in _words(_contents(exchange.request)):
                turn_of.setdefault(word, number)
    return warnings


def _lost(exchange: Exchange, alone: Outcome | None, turn_of: Mapping[str, int]) -> set[str]:
    """Words of earlier turns that the recorded answer used and the answer of today does not."""
    if not turn_of or exchange.response is None or alone is None or alone.error is not None:
        return set()
    recorded = _words(text for _, text in leaves(exchange.response.body, "")) | _words(exchange.response.chunks)
    # What this turn itself, or the constant text of the program, brings along proves nothing.
    used = (recorded & turn_of.keys()) - _sent(exchange.request)
    if not used:
        return used
    return used - _words(text for _, _, text in observations(alone)) - _words(alone.chunks)


def _words(texts: Iterable[str]) -> set[str]:
    return {token for text in texts for token in tokens(text)}


def _sent(request: Request) -> set[str]:
    return _words([request.session, request.user or "", *_contents(request)])


def _contents(request: Request) -> list[str]:
    return [request.message or "", *(text for _, text in leaves(request.request, ""))]
