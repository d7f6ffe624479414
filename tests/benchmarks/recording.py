"""What recording costs: the same service direct, with the middleware, behind the proxy, and behind mitmdump.

Run by hand: `python tests/benchmarks/recording.py [--rounds 3] [--seconds 3] [--mitmdump PATH]`. All targets run at once
and are measured in turn, round after round, so that each sees the same machine. One client connection measures latency,
sixteen measure throughput; the client is a bare socket loop and costs the same everywhere. A POST of 0.4 kB is answered
with 1 kB of JSON. Peer: `mitmdump --mode reverse:… -w FILE` (mitmproxy 11.0.2 is the newest for Python 3.11).
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
import sys
from aiohttp import web
REPLY = {"reply": "your order is on its way. " * 38}
async def chat(request):
    await request.json()
    return web.json_response(REPLY)
middlewares = []
if sys.argv[2] != "none":
    from crosslane.replay.record.aiohttp import record_middleware
    middlewares = [record_middleware(sys.argv[3], redact=sys.argv[2] == "redacted")]
app = web.Application(middlewares=middlewares)
app.router.add_post("/chat", chat)
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


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=3.0)
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
    running = [
        subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for command in commands.values()
    ]
    try:
        for name in commands:
            wait_for(ports[name])
            load(ports[name], 4, 0.3)
        medians: dict[str, list[float]] = {name: [] for name in commands}
        rates: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name in commands:
                medians[name].append(statistics.median(load(ports[name], 1, options.seconds)) * 1e3)
                rates[name].append(len(load(ports[name], 16, options.seconds)) / options.seconds)
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    base = statistics.median(medians["direct"])
    peer = statistics.median(rates["mitmdump -w"]) if "mitmdump -w" in rates else None
    print(f"{'target':<26}{'p50 ms':>8}{'added':>8}{'req/s, 16 at once':>20}{'x mitmdump':>12}")
    for name in commands:
        p50, rate = statistics.median(medians[name]), statistics.median(rates[name])
        times = f"{rate / peer:.1f}" if peer else ""
        print(f"{name:<26}{p50:8.3f}{p50 - base:+8.3f}{rate:20,.0f}{times:>12}")


if __name__ == "__main__":
    main()
