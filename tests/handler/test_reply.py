"""Answers become plain values in bounded time, whatever objects are in them."""

from __future__ import annotations

from collections import deque
from typing import Any

from crosslane.replay.explain.places import fingerprint
from crosslane.replay.handler.reply import plain


class Row:
    """As those of an ORM: each is a key of what all the others hold."""

    def __init__(self, name: str) -> None:
        self.others: dict[Any, Row] = {}
        self.name = name


def woven(count: int) -> list[Row]:
    rows = [Row(f"row {number}") for number in range(count)]
    for row in rows:
        row.others.update(dict.fromkeys(rows, row))
    return rows


def test_objects_that_all_lead_to_each_other_are_shown_as_far_as_there_is_room() -> None:
    assert str(plain(woven(40), 60)).count("'name'") <= 60
    assert plain([Row("one"), Row("two")])[1] == {"<Row>": {"others": {}, "name": "two"}}


def test_what_stands_in_a_deque_is_seen_as_that_of_a_list_is() -> None:
    assert plain({"said": deque(["one", "two"])}) == {"said": ["one", "two"]}


def test_a_change_behind_an_attribute_that_leads_to_very_much_is_seen() -> None:
    rows = woven(40)
    before = fingerprint(rows[0])
    rows[0].name = "another"
    assert fingerprint(rows[0]) != before
