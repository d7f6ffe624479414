"""`check` and `replay` against a running service: their options, and what runs the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ...replay.service.options import ServiceOptions, is_service
from .declared import Option

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...replay.service.runner import ServiceRunner
    from ...replay.worker.options import WorkerOptions
    from ...replay.worker.pool import Pool

LlmPortOption = Annotated[
    int, Option(min=0, max=65535, help="For a URL: where the stub LLM listens; 0 takes a free port.")
]
LaunchOption = Annotated[
    str | None,
    Option(
        help='For a URL: start the service with this, as in "uvicorn app:app --port {port}"; {llm_port} and the '
        "variables of the SDKs name the stub LLM."
    ),
]
FreshOption = Annotated[
    Literal["restart", "keep"], Option(help="With --launch: start it again for each execution, or only once.")
]
IdentityOption = Annotated[
    Literal["recorded", "fresh"] | None,
    Option(
        help="For a URL: send recorded (the default) sessions and tokens, or fresh ones of the same shape each time."
    ),
]
SettleOption = Annotated[
    float, Option(min=0.01, help="For a URL: seconds without a sign after which the service stands still.")
]
RemoteOption = Annotated[
    bool,
    Option(names=("--allow-remote",), help="For a URL: let it be on another machine. Requests have effects there."),
]
TogetherOption = Annotated[
    bool, Option(names=("--together",), help="For a URL: release the first requests of all lanes at the same moment.")
]


def options(
    cwd: Path,
    llm_port: int,
    launch: str | None,
    fresh: str,
    identity: str | None,
    settle: float,
    allow_remote: bool,
    together: bool = False,
) -> ServiceOptions:
    return ServiceOptions(
        cwd,
        llm_port,
        launch,
        fresh == "keep",
        identity or "recorded",
        settle_s=settle,
        allow_remote=allow_remote,
        together=together,
    )


def runner(handler: str, worker: WorkerOptions, service: ServiceOptions, jobs: int = 0) -> Pool | ServiceRunner:
    """What runs jobs on a handler: a service stays where it is, everything else is imported by workers.

    Args:
        jobs: how many of them search; 0 is one a core.
    """
    if is_service(handler):
        from ...replay.service.runner import ServiceRunner

        return ServiceRunner(service)
    from ...replay.worker.pool import Pool

    return Pool(worker, jobs)


def runner_of(
    handler: str | None, llm_port: int, launch: str | None
) -> Callable[[WorkerOptions], Pool | ServiceRunner]:
    """What makes the runner of the interface, which knows of its directory and interpreter alone."""
    return lambda worker: runner(handler or "", worker, ServiceOptions(worker.cwd, llm_port, launch))
