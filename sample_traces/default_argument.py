"""The bug in a signature: the default list is made once, when the function is defined, and every call appends to it."""

import asyncio


class EchoLLM:
    """Stands in for a model: answers with what it was told, so that whatever is in the context can be seen."""

    async def complete(self, messages):
        await asyncio.sleep(0.05)
        return "You told me: " + " | ".join(messages)


llm = EchoLLM()


async def handle_message(session_id, user, message, history=[]):
    history.append(f"{user}: {message}")
    return await llm.complete(history)
