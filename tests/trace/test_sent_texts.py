"""Where a value first stands in what a user sent: the same as looking through one text after another."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from crosslane.replay.trace import sent_texts
from crosslane.replay.trace.sent_texts import SentTexts
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.text(alphabet="ab/%2F", min_size=6, max_size=9)


@given(st.lists(st.lists(VALUES, max_size=4).map(" ".join), max_size=5), st.lists(VALUES, max_size=8), st.booleans())
def test_a_value_is_found_in_the_first_text_that_holds_it(texts: list[str], values: list[str], many: bool) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sent_texts, "_MANY", 0 if many else 1_000)
        sent = SentTexts(texts)
        for value in values:
            holding = (n for n, text in enumerate(texts) if value in text or quote(value, safe="") in text)
            assert sent.first(value) == next(holding, None)
