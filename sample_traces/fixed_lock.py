"""Fixed: a context for each session, and a lock for each session so that its turns do not mix either."""

import asyncio
from collections import defaultdict

contexts = defaultdict(list)
locks = defaultdict(asyncio.Lock)


class EchoLLM:
    """Stands in for a model: answers with what it was told, so that whatever is in the context can be seen."""

    async def complete(self, messages):
        await asyncio.sleep(0.05)
        return "You told me: " + " | ".join(messages)


llm = EchoLLM()


async def handle_message(session_id, user, message):
    async with locks[session_id]:
        contexts[session_id].append(f"{user}: {message}")
        return await llm.complete(contexts[session_id])
