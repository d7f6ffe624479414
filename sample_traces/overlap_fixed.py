"""The overlap bug, fixed: the profile is a local of the turn, and nothing outlives it."""

import asyncio

PROFILES = {
    "alice": {"name": "Alice Ferrante", "account": "DE02-1203-7781"},
    "bob": {"name": "Bob Okafor", "account": "NL91-4404-2230"},
}


async def load_profile(user):
    await asyncio.sleep(0.01)
    return PROFILES[user]


async def complete(profile, message):
    await asyncio.sleep(0.05)
    return f"{profile['name']} (account {profile['account']}), you asked: {message}"


async def handle_message(session_id, user, message):
    profile = await load_profile(user)
    return await complete(profile, message)
