"""What recording costs: the same service direct, with the middleware, behind the proxy, and behind mitmdump.

Run by hand: `python tests/benchmarks/recording.py [--rounds 5] [--seconds 2] [--mitmdump PATH]`. All targets run at once
and are measured in turn, round after round, so that each sees the same machine; before each measurement all of them have
nothing left to do, and what they then still wrote is told as `rest`. One client connection measures latency, sixteen
measure throughput; the client is a bare socket loop and costs the same everywhere. A POST of 0.4 kB is answered with
1 kB of JSON. The processor time of a request is that of the target (with the service in it, where it is one) and that
of the process beside it. Peer: `mitmdump --mode reverse:… -w FILE` (mitmproxy 11.0.2 is the newest for Python 3.11).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BODY = json.dumps({"user_id": "u-1", "session_id": "s-1", "message": "how is my order? " * 20}).encode()
SERVICE = """
import asyncio, sys
from aiohttp import web
REPLY = {"reply": "your order is on its way. " * 38}
async def chat(request):
    await request.json()
    return web.json_response(REPLY)
async def stream(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: 1\\n\\n")
    await asyncio.sleep(0.01)
    await response.write(b"data: 2\\n\\n")
    return response
middlewares = []
if sys.argv[2] != "none":
    from crosslane.replay.record.aiohttp import record_middleware
    middlewares = [record_middleware(sys.argv[3], redact=sys.argv[2] == "redacted")]
app = web.Application(middlewares=middlewares)
app.router.add_post("/chat", chat)
app.router.add_get("/stream", stream)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(400):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


class Client:
    """One connection that sends the same request again as soon as it is answered."""

    def __init__(self, port: int, times: list[float]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST /chat HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAuthorization: Bearer tok0123456789abcdef\r\nContent-Length: {len(BODY)}\r\n\r\n"
        self.request = head.encode() + BODY
        self.times = times
        self.data = b""
        self.whole = 0

    def send(self) -> None:
        self.began = time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self) -> bool:
        """Whether the answer is whole now."""
        self.data += self.socket.recv(65_536)
        if not self.whole:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = self.data[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                sys.exit(f"answered {self.data[:80]!r}")
            self.whole = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self.data) < self.whole:
            return False
        self.data, self.whole = b"", 0
        self.times.append(time.perf_counter() - self.began)
        return True


def load(port: int, connections: int, seconds: float) -> list[float]:
    """Seconds of each request. A bare selector loop, so that the client takes little from what it measures."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for client in [Client(port, times) for _ in range(connections)]:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        while time.perf_counter() < until:
            for key, _ in selector.select():
                if key.data.receive():
                    key.data.send()
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return times


def first_byte(port: int, times: int) -> float:
    """Median milliseconds to the first event of a stream whose second comes 10 ms later."""
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            began = time.perf_counter()
            client.sendall(f"GET /stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            data = client.recv(65_536)
            while b"data: 1" not in data:
                data += client.recv(65_536)
            took.append((time.perf_counter() - began) * 1e3)
            while not data.endswith(b"0\r\n\r\n") and b"Content-Length" not in data:
                data += client.recv(65_536)
    return statistics.median(took)


def processor_s(pid: int) -> tuple[float, float]:
    """Seconds that a process has computed so far, and those that its children have."""
    own, beside = 0.0, 0.0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit():
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
                seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                if int(entry.name) == pid:
                    own = seconds
                elif int(fields[1]) == pid:
                    beside += seconds
    return own, beside


def settle(pids: list[int]) -> float:
    """Wait until none of the processes computes any more; how many seconds that took."""
    began = time.perf_counter()
    before = None
    while (now := [processor_s(pid) for pid in pids]) != before:
        before = now
        time.sleep(0.15)
    return time.perf_counter() - began


def lost(folder: Path) -> int:
    """Events that the traces say were lost."""
    count = 0
    for part in folder.glob("*.jsonl"):
        with part.open("rb") as file:
            file.seek(max(0, part.stat().st_size - 200))
            count += json.loads(file.read().splitlines()[-1]).get("lost", 0)
    return count


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--mitmdump", default=shutil.which("mitmdump"))
    options = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="crosslane-recording-"))
    os.environ["CROSSLANE_STATE_DIR"] = str(folder / "state")
    (folder / "service.py").write_text(SERVICE)
    crosslane = str(Path(sys.executable).with_name("crosslane"))
    ports = {
        name: free_port()
        for name in ("direct", "middleware", "middleware, no redaction", "proxy", "proxy, no redaction", "mitmdump -w")
    }
    to = f"http://127.0.0.1:{ports['direct']}"

    def service(name: str, how: str) -> list[str]:
        return [sys.executable, str(folder / "service.py"), str(ports[name]), how, str(folder / f"{ports[name]}.jsonl")]

    def proxy(name: str, *more: str) -> list[str]:
        return [crosslane, "record", "--to", to, "--port", str(ports[name]), "-o", str(folder / f"{name}.jsonl"), *more]

    commands = {
        "direct": service("direct", "none"),
        "middleware": service("middleware", "redacted"),
        "middleware, no redaction": service("middleware, no redaction", "plain"),
        "proxy": proxy("proxy"),
        "proxy, no redaction": proxy("proxy, no redaction", "--no-redact"),
    }
    if options.mitmdump:
        commands["mitmdump -w"] = [options.mitmdump, "-q", "--mode", f"reverse:{to}", "--listen-host", "127.0.0.1", "--listen-port", str(ports["mitmdump -w"]), "-w", str(folder / "flows.mitm")]  # fmt: skip
    else:
        print("mitmdump is not there: pip install mitmproxy==11.0.2 in an environment of its own, then --mitmdump PATH")
    running = {
        name: subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for name, command in commands.items()
    }
    pids = [process.pid for process in running.values()]
    medians: dict[str, list[float]] = {name: [] for name in commands}
    firsts: dict[str, list[float]] = {name: [] for name in commands}
    rates: dict[str, list[float]] = {name: [] for name in commands}
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    rests: dict[str, list[float]] = {name: [] for name in commands}
    try:
        for name in commands:
            wait_for(ports[name])
            load(ports[name], 4, 0.3)
        settle(pids)
        for _ in range(options.rounds):
            for name in commands:
                medians[name].append(statistics.median(load(ports[name], 1, options.seconds)) * 1e3)
                firsts[name].append(first_byte(ports[name], 20))
                settle(pids)
                before = processor_s(running[name].pid)
                done = len(load(ports[name], 16, options.seconds))
                rates[name].append(done / options.seconds)
                rests[name].append(settle(pids))
                after = processor_s(running[name].pid)
                costs[name].append(((after[0] - before[0]) / done * 1e6, (after[1] - before[1]) / done * 1e6))
    finally:
        for process in running.values():
            process.send_signal(signal.SIGINT)
        for process in running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
        gone = lost(folder)
        shutil.rmtree(folder, ignore_errors=True)
    base, least = statistics.median(medians["direct"]), min(medians["direct"])
    peer = statistics.median(rates["mitmdump -w"]) if "mitmdump -w" in rates else None
    print(
        f"{'target':<26}{'p50 ms':>8}{'added':>8}{'least':>8}{'sse ms':>8}{'req/s':>8}{'x mitm':>8}{'us/req':>8}{'beside':>8}{'rest s':>8}"
    )
    for name in commands:
        p50, rate = statistics.median(medians[name]), statistics.median(rates[name])
        own, beside = (statistics.median(side) for side in zip(*costs[name], strict=True))
        times = f"{rate / peer:.1f}" if peer else ""
        print(
            f"{name:<26}{p50:8.3f}{p50 - base:+8.3f}{min(medians[name]) - least:+8.3f}{statistics.median(firsts[name]):8.2f}"
            f"{rate:8,.0f}{times:>8}{own:8.0f}{beside:8.0f}{statistics.median(rests[name]):8.1f}"
        )
    print(
        f"\n{gone} events lost; {options.rounds} rounds of {options.seconds} s; least: the difference of the lowest p50s"
    )


if __name__ == "__main__":
    main()
