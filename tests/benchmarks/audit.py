"""How long the offline audit of a large trace takes, against `grep -F -f` with the same values.

Run by hand: `python tests/benchmarks/audit.py [--mb 100] [--requests N] [--keep FILE]`. The trace is made up from a seed:
every user has an address, orders and a name, answers repeat what was asked, and one answer in a thousand holds what
another user said. grep finds every occurrence, the owners' own too, in raw lines; it is a bound, not an equal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from crosslane.replay.detect.audit import audit
from crosslane.replay.detect.owners import Owners, Requests
from crosslane.replay.detect.telling import values_sent
from crosslane.replay.trace.model import Exchange
from crosslane.replay.trace.store import stream

WORDS = [
    "".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz", k=random.Random(-n - 1).randint(2, 9))) for n in range(4_000)
]  # fmt: skip


def make(path: Path, megabytes: float, requests: int | None, seed: int = 7) -> int:
    """Write a trace of about that size, or with that many requests of a kilobyte each; how many crossings are in it."""
    rng = random.Random(seed)
    made = crossings = count = 0
    secrets: list[tuple[str, str]] = []
    users = max(20, int(requests or megabytes * 500) // 20)
    with path.open("w", encoding="ascii") as file:
        file.write('{"k": "header", "v": 1}\n')
        while made < megabytes * 1e6 if requests is None else count < requests:
            user = f"u-{rng.randrange(users):06d}x"
            order = f"ORD-{rng.randrange(10**8):08d}-{rng.choice('ABCDEF')}"
            said = " ".join(rng.choices(WORDS, k=30))
            answer = " ".join(rng.choices(WORDS, k=110 if requests is None else 40))
            told = order
            if secrets and rng.random() < 0.001:
                owner, foreign = rng.choice(secrets)
                if owner != user:
                    told, crossings = foreign, crossings + 1
            secrets.append((user, order))
            if len(secrets) > 1_000:
                secrets.pop(0)
            at = count * 1_000_000
            request = {"method": "POST", "path": "/chat", "headers": [["content-type", "application/json"], ["cookie", f"sid={hash_of(user)}"]], "json": {"message": f"{said} about {order}"}}  # fmt: skip
            for event in (
                {"k": "req", "id": f"r{count}", "t": at, "session": f"s-{user}", "user": user, "request": request},
                {"k": "res", "id": f"r{count}", "t": at + 40_000_000, "status": 200, "headers": [["content-type", "application/json"]], "json": {"reply": f"{answer} {told}", "n": count}},
            ):  # fmt: skip
                line = json.dumps(event) + "\n"
                made += len(line)
                file.write(line)
            count += 1
    return crossings


def hash_of(user: str) -> str:
    return f"{random.Random(user).getrandbits(64):016x}"


def patterns(path: Path) -> list[str]:
    """Every value that one lane alone sent: the audit looks for the same, most of them by their hash."""
    requests = Requests()
    owners = Owners(requests, sys.maxsize)
    for item in stream(path, []):
        if isinstance(item, Exchange):
            number = requests.add(item, item.request.user or "")
            owners.send(values_sent(item.request, ()), requests.lane_of[number], number, item.request.at_ns)
    return [text for text, owned in owners.sent.items() if owned.lane >= 0]


def grep(trace: Path, folder: Path) -> tuple[float, int, int]:
    """Seconds it took, how many values it looked for, and how many times it found one."""
    values = patterns(trace)
    (folder / "patterns").write_text("\n".join(values) + "\n")
    arguments = ["grep", "-F", "-i", "-o", "-f", str(folder / "patterns"), str(trace)]
    start, found = time.perf_counter(), 0
    # Into a pipe: where its output goes to /dev/null, grep ends at the first match.
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}) as process:
        assert process.stdout is not None
        while block := process.stdout.read(1 << 20):
            found += block.count(b"\n")
    if process.returncode:
        raise SystemExit(f"grep failed with status {process.returncode}")
    return time.perf_counter() - start, len(values), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=100)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--no-grep", action="store_true")
    options: Any = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trace: Path = options.keep or folder / "trace.jsonl"
        crossings = make(trace, options.mb, options.requests)
        size = trace.stat().st_size / 1e6
        start, cpu = time.perf_counter(), time.process_time()
        result = audit(trace)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"trace: {size:.0f} MB, {result.requests:,} requests, {result.lanes:,} lanes, {crossings} crossings made")
        print(
            f"audit: {took:.1f} s, {cpu:.1f} s of CPU ({size / cpu:.1f} MB/s), {result.values:,} values, capped: {result.capped}, ",
            end="",
        )
        print(f"{len(result.findings)} findings, peak RSS {peak:.0f} MB")
        sys.stdout.flush()
        if not options.no_grep:
            elapsed, values, found = grep(trace, folder)
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = usage.ru_utime + usage.ru_stime
            print(f"grep -F: {elapsed:.1f} s, {used:.1f} s of CPU, {values:,} values found {found:,} times, ", end="")
            print(f"peak RSS {usage.ru_maxrss / 1024:.0f} MB; the audit used {cpu / used:.1f} times its CPU")


if __name__ == "__main__":
    main()
