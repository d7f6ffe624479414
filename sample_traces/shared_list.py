"""The bug: every request appends to one module-level list, and the whole list is the model's context."""

import asyncio

current_context = []


class EchoLLM:
    """Stands in for a model: answers with what it was told, so that whatever is in the context can be seen."""

    async def complete(self, messages):
        await asyncio.sleep(0.05)
        return "You told me: " + " | ".join(messages)


llm = EchoLLM()


async def handle_message(session_id, user, message):
    current_context.append(f"{user}: {message}")
    return await llm.complete(current_context)
