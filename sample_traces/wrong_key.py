"""The bug behind a dict: there is a history for each key, but the key is the assistant's name and not the session."""

import asyncio

ASSISTANT = "support"
histories = {}


class EchoLLM:
    """Stands in for a model: answers with what it was told, so that whatever is in the context can be seen."""

    async def complete(self, messages):
        await asyncio.sleep(0.05)
        return "You told me: " + " | ".join(messages)


llm = EchoLLM()


async def handle_message(session_id, user, message):
    history = histories.setdefault(ASSISTANT, [])
    history.append(f"{user}: {message}")
    return await llm.complete(history)
