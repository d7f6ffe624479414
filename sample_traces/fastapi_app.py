"""The bug in a service: a FastAPI application with one context for all users. Needs fastapi."""

import asyncio

from fastapi import FastAPI
from pydantic import BaseModel


class Turn(BaseModel):
    user: str
    message: str


app = FastAPI()
current_context: list[str] = []


async def complete(messages):
    await asyncio.sleep(0.05)
    return "You told me: " + " | ".join(messages)


@app.post("/chat")
async def chat(turn: Turn):
    current_context.append(f"{turn.user}: {turn.message}")
    return {"reply": await complete(current_context)}
