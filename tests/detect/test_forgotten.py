"""Words, and the remark on a session that no longer sees what it said itself."""

from __future__ import annotations

import re

from crosslane.replay.detect.forgotten import lost_turns
from crosslane.replay.detect.values import tokens
from crosslane.replay.run import Outcome
from crosslane.replay.trace.model import Exchange, Request, Response
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(alphabet="aAbßİŉ1٣-_.@' é\u0307Ω中ǅﬁ ,:/+", max_size=30))
def test_the_words_of_a_text_are_its_compounds_and_their_parts_in_lower_case(text: str) -> None:
    compounds = [found.casefold() for found in re.findall(r"[^\W_]+(?:[-_.@+'’:/]+[^\W_]+)*", text)]
    words = {word for compound in compounds for word in (compound, *re.findall(r"[^\W_]+", compound))}
    assert tokens(text) == {word for word in words if len(word) > 1}


def conversation(*turns: tuple[str, str, str]) -> tuple[list[Exchange], dict[str, Outcome]]:
    """From (message, what was answered when recorded, what is answered today)."""
    exchanges: list[Exchange] = []
    solo: dict[str, Outcome] = {}
    for number, (message, recorded, today) in enumerate(turns, 1):
        request = Request(f"r{number}", "s1", "alice", number, message, None, number)
        exchanges.append(Exchange(request, Response(number, 200, (), recorded, (), "ok")))
        solo[request.id] = Outcome(request.id, "alice", "s1", 200, (), today)
    return exchanges, solo


def test_the_earliest_turn_that_was_lost_is_named_once_a_session() -> None:
    told = conversation(
        ("I like figs", "noted", "noted"),
        ("I live in Turin", "noted", "noted"),
        ("what did I say?", "you live in Turin and like figs", "nothing"),
        ("where do I live?", "in Turin", "nobody knows"),
    )
    assert lost_turns(*told) == ["isolated, but session s1 lost its own turn 1"]


def test_nothing_is_lost_while_the_answer_still_has_it_or_this_turn_brings_it() -> None:
    told = conversation(
        ("I live in Turin", "noted", "noted"),
        ("where do I live?", "Turin", "Turin it is"),
        ("is Turin large?", "Turin is large", "it is large"),
    )
    assert lost_turns(*told) == []
