"""Handlers that the tests name as objects: the worker imports this file."""

from __future__ import annotations

import asyncio

_latest: list[str] = []


async def leaking(message: str) -> str:
    _latest.append(message)
    await asyncio.sleep(0)
    return f"you said {_latest[-1]}; before that {_latest[:-1]}"


async def isolated(message: str) -> str:
    await asyncio.sleep(0)
    return f"you said {message}"


class Assistant:
    def __init__(self) -> None:
        self.notes: list[str] = []

    async def answer(self, message: str) -> str:
        self.notes.append(message)
        await asyncio.sleep(0)
        return "; ".join(self.notes)

    @staticmethod
    async def plain(message: str) -> str:
        await asyncio.sleep(0)
        return message


async def application(scope, receive, send) -> None: ...


class App:
    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            return
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


assistant = Assistant()
app = App()
