"""The parts of the asyncio interface that a replay does not have: network, subprocesses, signals, debugging.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from .memory_net import MemoryNetwork

_MOST_REMARKS = 20


class DetachedLoop(asyncio.AbstractEventLoop):
    """Refuses every connection to the outside and notes it in `escapes`, in words. Those within the program are made in
    memory, in `network`.

    One is made for each execution, with more attributes than the 30 for which instances of a class share a layout: in
    slots they are set and found sooner.
    """

    __slots__ = ("escapes", "network", "remarks")

    def __init__(self) -> None:
        self.escapes: list[str] = []
        self.remarks: list[str] = []
        self.network = MemoryNetwork()

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        pass

    def default_exception_handler(self, context: Any) -> None:
        pass

    def set_default_executor(self, executor: Any) -> None:
        pass

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        pass

    def remove_signal_handler(self, sig: int) -> bool:
        return False

    async def shutdown_asyncgens(self) -> None:
        pass

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass

    def escape(self, what: str) -> None:
        """Note, once, that something left control; the verdict says so."""
        if what not in self.escapes:
            self.escapes.append(what)

    def remark(self, what: str) -> None:
        """Note, once, what the user should hear of though it is no fault: a call that the trace does not have."""
        if what not in self.remarks and len(self.remarks) < _MOST_REMARKS:
            self.remarks.append(what)

    def _no_network(self, host: object, port: object = None) -> ConnectionError:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        target = name if port is None else f"{name}:{port}"
        self.escape(f"network call to {target}")
        return ConnectionRefusedError(f"no network in a replay: the call to {target} was refused")

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        if self.network.has(port):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        if self.network.outside is None:
            raise self._no_network(host, port)
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.network.address_of(name), port))]

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return self.network.listen(self, protocol_factory, host, port)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **options: Any
    ) -> Any:
        if sock is not None:
            host, port = self.network.dialled(sock)
        if self.network.has(port):
            return self.network.connect(self, protocol_factory, port)
        outside = self.network.outside
        scheme = "https" if options.get("ssl") else "http"
        name = str(options.get("server_hostname") or host)
        served = None if outside is None else outside(protocol_factory, scheme, name, port)
        if served is None:
            raise self._no_network(host, port)
        return self.network.pair(self, protocol_factory(), served, name, port, plumbing=True)

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **_: Any) -> Any:
        raise self._no_network(path)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        where: Any = address
        if not isinstance(where, tuple) or not (self.network.has(address[1]) or self.network.outside is not None):
            raise self._no_network(address)
        self.network.dial(sock, address)

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **_: Any) -> Any:
        self.escape(f"subprocess {args[0] if args else ''}")
        raise PermissionError("no subprocess in a replay")

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **_: Any) -> Any:
        self.escape("subprocess")
        raise PermissionError("no subprocess in a replay")
