"""The bug in a class: a new Assistant for every request, but the list stands in the class body and belongs to all."""

import asyncio


class EchoLLM:
    """Stands in for a model: answers with what it was told, so that whatever is in the context can be seen."""

    async def complete(self, messages):
        await asyncio.sleep(0.05)
        return "You told me: " + " | ".join(messages)


llm = EchoLLM()


class Assistant:
    preferences = []

    def __init__(self, user):
        self.user = user

    async def answer(self, message):
        self.preferences.append(f"{self.user}: {message}")
        return await llm.complete(self.preferences)


async def handle_message(session_id, user, message):
    return await Assistant(user).answer(message)
