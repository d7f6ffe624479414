"""Fixed: an explicit session object holds the context, and the handler works on that object alone."""

import asyncio
from dataclasses import dataclass, field


class EchoLLM:
    """Stands in for a model: answers with what it was told, so that whatever is in the context can be seen."""

    async def complete(self, messages):
        await asyncio.sleep(0.05)
        return "You told me: " + " | ".join(messages)


llm = EchoLLM()


@dataclass
class Session:
    id: str
    context: list = field(default_factory=list)


sessions = {}


async def handle_message(session_id, user, message):
    session = sessions.setdefault(session_id, Session(session_id))
    session.context.append(f"{user}: {message}")
    return await llm.complete(session.context)
