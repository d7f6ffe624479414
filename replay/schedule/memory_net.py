"""Connections within one execution: a server that the program itself starts is reached in memory, without a socket.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

from .actors import ACTOR

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_PORT = 49_152


class MemoryNetwork:
    """The servers that listen in one execution, by port.

    Attributes:
        outside: given what makes a client's protocol, and the scheme, host and port that it wants to reach outside the
            program, the protocol that stands in for that server, or None where nothing does. None refuses every host.
    """

    outside: Callable[[Any, str, str, int], asyncio.Protocol | None] | None = None

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}
        self._servers: dict[int, MemoryServer] = {}
        self._next_port = _FIRST_PORT
        self._dialled: dict[int, Any] = {}

    @property
    def used(self) -> bool:
        return self._next_port != _FIRST_PORT or bool(self._servers or self._hosts or self._dialled)

    def listen(self, loop: Any, factory: Callable[[], Any], host: Any, port: int | None) -> MemoryServer:
        if not port:
            port, self._next_port = self._next_port, self._next_port + 1
        server = self._servers[port] = MemoryServer(self, loop, factory, str(host or "127.0.0.1"), port)
        return server

    def forget(self, port: int) -> None:
        self._servers.pop(port, None)

    def has(self, port: Any) -> bool:
        return isinstance(port, int) and port in self._servers

    def address_of(self, host: str) -> str:
        """An address for a host outside, of the network that is reserved for examples (RFC 5737)."""
        for address, known in self._hosts.items():
            if known == host:
                return address
        address = f"192.0.2.{len(self._hosts) % 254 + 1}"
        self._hosts[address] = host
        return address

    def host_at(self, address: str) -> str:
        return self._hosts.get(address, address)

    def dial(self, sock: Any, address: Any) -> None:
        """What `sock_connect` does; `connect` with the same socket follows."""
        self._dialled[id(sock)] = address

    def dialled(self, sock: Any) -> tuple[str, int]:
        """What a socket was connected to, which is closed: the connection is made in memory."""
        address = self._dialled.pop(id(sock))
        sock.close()
        return self.host_at(str(address[0])), int(address[1])

    def connect(self, loop: Any, factory: Callable[[], Any], port: int) -> tuple[Any, Any]:
        """Connect a client to a server of the program."""
        server = self._servers[port]
        return self.pair(loop, factory(), server.factory(), server.host, port)

    def pair(
        self, loop: Any, client: Any, served: Any, host: str, port: int, plumbing: bool = False
    ) -> tuple[Any, Any]:
        """Connect two protocols with each other. `plumbing`: what passes between them is no step to be chosen."""
        near, far = MemoryTransport(loop, client), MemoryTransport(loop, served)
        near.peer, far.peer = far, near
        near.plumbing = far.plumbing = plumbing
        near.addresses = {"peername": (host, port), "sockname": ("127.0.0.1", 50_000)}
        far.addresses = {"peername": ("127.0.0.1", 50_000), "sockname": (host, port)}
        tasks = len(loop.task_contexts)
        far.context.run(served.connection_made, far)
        far.serving = [far.context, *loop.task_contexts[tasks:]]
        client.connection_made(near)
        return near, client


class MemoryServer(asyncio.AbstractServer):
    """What `create_server` returns. `sockets` know their address and nothing else."""

    def __init__(self, network: MemoryNetwork, loop: Any, factory: Callable[[], Any], host: str, port: int) -> None:
        self.factory = factory
        self.host = host
        self._network = network
        self._loop = loop
        self._port = port
        self._open = True

    @property
    def sockets(self) -> tuple[Any, ...]:
        return (_Address(self.host, self._port),) if self._open else ()

    def close(self) -> None:
        self._open = False
        self._network.forget(self._port)

    def get_loop(self) -> Any:
        return self._loop

    def is_serving(self) -> bool:
        return self._open

    async def start_serving(self) -> None: ...

    async def serve_forever(self) -> None:
        await self._loop.create_future()

    async def wait_closed(self) -> None: ...


class _Address:
    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    def getsockname(self) -> tuple[str, int]:
        return self._address


class MemoryTransport(asyncio.Transport):
    """One end. What is written to it is received by the other end's protocol a moment later.

    Attributes:
        serving: at the server's end, the contexts of what serves the connection. They work for whoever wrote last: a
            connection that several lanes use one after another would otherwise belong to the lane that opened it, and
            the others would wait for that one.
    """

    def __init__(self, loop: Any, protocol: Any) -> None:
        super().__init__()
        self.peer: MemoryTransport | None = None
        self.addresses: dict[str, Any] = {}
        self._loop = loop
        self._protocol = protocol
        self.context = contextvars.copy_context()
        self.serving: list[contextvars.Context] = []
        self.plumbing = False
        self._closing = False

    def write(self, data: Any) -> None:
        if not self._closing and self.peer is not None and data:
            self._later(self.peer, "data_received", bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if self.peer is not None:
            self._later(self.peer, "eof_received")

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._later(self, "connection_lost", None)
        if self.peer is not None and not self.peer._closing:
            self._later(self.peer, "eof_received")
            self.peer.close()

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.addresses.get(name, default)

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_reading(self) -> bool:
        return True

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def _later(self, end: MemoryTransport, what: str, *arguments: Any) -> None:
        writer = ACTOR.get(None)
        if writer is not None:
            for context in end.serving:
                context.run(ACTOR.set, writer)
        # The protocol is looked up when it happens: an upgrade may have put another in its place.
        self._loop.call_soon(end.receive, what, *arguments, context=end.context)

    def receive(self, what: str, *arguments: Any) -> None:
        getattr(self._protocol, what)(*arguments)
