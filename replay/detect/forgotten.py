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
        for index, exchange in enumerate(conversation):
            alone = solo.get(exchange.request.id)
            if index == 0 or exchange.response is None or alone is None or alone.error is not None:
                continue
            recorded = _words(text for _, text in leaves(exchange.response.body, ""))
            recorded |= _words(exchange.response.chunks)
            now = _words(text for _, _, text in observations(alone)) | _words(alone.chunks)
            # What this turn itself, or the constant text of the program, brings along proves nothing.
            lost = recorded - now - _sent(exchange.request)
            turn = next((n for n, past in enumerate(conversation[:index], 1) if _own(past.request) & lost), None)
            if turn is not None:
                warnings.append(f"isolated, but session {session} lost its own turn {turn}")
                break
    return warnings


def _words(texts: Iterable[str]) -> set[str]:
    return {token for text in texts for token in tokens(text)}


def _sent(request: Request) -> set[str]:
    return _words([request.session, request.user or "", *_contents(request)])


def _own(request: Request) -> set[str]:
    return _words(_contents(request))


def _contents(request: Request) -> list[str]:
    return [request.message or "", *(text for _, text in leaves(request.request, ""))]
