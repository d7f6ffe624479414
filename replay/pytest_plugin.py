"""What a project's test suite gets by having Crosslane installed: a fixture and a marker. It does nothing when unused.

Nothing is imported here but pytest: the plugin is loaded in every test run of the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .isolation import Sessions
    from .report import Result

_MARKER = (
    "crosslane(**options): what the `crosslane` fixture checks with: budget, concurrency, boundary, upstream, kind, "
    "allow_inconclusive and the other options of crosslane.replay.assert_isolated"
)


@dataclass(frozen=True, slots=True)
class Isolation:
    """The `crosslane` fixture: `assert_isolated` with the options of the test's markers, from the root of the tests."""

    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def assert_isolated(self, handler: object, sessions: Sessions | None = None, **options: Any) -> Result:
        """See `crosslane.replay.assert_isolated`; `options` win over those of the markers."""
        __tracebackhide__ = True
        from .isolation import assert_isolated

        return assert_isolated(handler, sessions, **{**self.options, **options})

    async def assert_isolated_async(self, handler: object, sessions: Sessions | None = None, **options: Any) -> Result:
        """See `crosslane.replay.assert_isolated_async`."""
        __tracebackhide__ = True
        from .isolation import assert_isolated_async

        return await assert_isolated_async(handler, sessions, **{**self.options, **options})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def crosslane(request: pytest.FixtureRequest) -> Isolation:
    """Checks that a handler keeps its users apart: `crosslane.assert_isolated(handle)`."""
    options: dict[str, Any] = {"cwd": request.config.rootpath}
    # The nearest comes first, and wins.
    for marker in reversed(list(request.node.iter_markers("crosslane"))):
        if marker.args:
            raise pytest.UsageError("the crosslane marker takes options by name, as in crosslane(budget='5s')")
        options.update(marker.kwargs)
    return Isolation(options)
