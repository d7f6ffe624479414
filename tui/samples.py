"""The sample traces and agents that travel with Crosslane."""

from __future__ import annotations

from pathlib import Path

DEMO_TRACE = "shared_list.jsonl"
DEMO_HANDLER = "shared_list.py:handle_message"


def folder() -> Path:
    """Where the samples are, in a checkout and in an installed wheel alike.

    They are a namespace package: with an `__init__.py` the agents in it would get dotted module names, and carriers
    would not go by the names that their authors use. `importlib.resources` cannot open those in editable installs.
    """
    import crosslane.sample_traces as samples  # pyright: ignore[reportMissingImports]

    return next(path for path in map(Path, samples.__path__) if (path / DEMO_TRACE).is_file())
