"""The bug that only an overlap shows: the profile is kept for the length of a turn, in a place that all turns look at.

Two requests started together both find it empty and load their own, so one `asyncio.gather` of two users is green. A
request that arrives while another waits for the model finds that one's profile and uses it.
"""

import asyncio

PROFILES = {
    "alice": {"name": "Alice Ferrante", "account": "DE02-1203-7781"},
    "bob": {"name": "Bob Okafor", "account": "NL91-4404-2230"},
}
current_profile = None


async def load_profile(user):
    await asyncio.sleep(0.01)
    return PROFILES[user]


async def complete(profile, message):
    await asyncio.sleep(0.05)
    return f"{profile['name']} (account {profile['account']}), you asked: {message}"


async def handle_message(session_id, user, message):
    global current_profile
    profile = current_profile
    if profile is None:
        profile = current_profile = await load_profile(user)
    try:
        return await complete(profile, message)
    finally:
        current_profile = None
