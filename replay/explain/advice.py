"""The fix that fits the carrier, with the caveat that belongs to it."""

from __future__ import annotations

_FIXES = {
    "module global": (
        "scope {name} to the session: keep a dict keyed by session id behind a lock per session, or pass an explicit "
        "session object; a ContextVar isolates too, but forgets the conversation between requests"
    ),
    "entry": (
        "{name} is one entry for all sessions: put the session's id into its key, and hold a lock per session for the "
        "whole turn; or pass the value as an argument"
    ),
    "class attribute": (
        "{name} is shared by every instance: set it in __init__, and make one instance a session, not one for all"
    ),
    "default argument": (
        "{name} is made once, when the function is defined: use None as the default and make a new one in the body"
    ),
    "instance attribute": (
        "{name} hangs on an object that all sessions share: make one object a session, or pass the value as an argument"
    ),
    "member of an iterator": (
        "{name} hands the same objects to all sessions in turn, whoever asks next: make one for each session, or empty "
        "what it hands out before it is used again"
    ),
    "local variable of a generator": (
        "{name} stands in a generator that all sessions drive: make one generator for each session"
    ),
    "local variable of a task": (
        "{name} lives as long as the task, which works for all sessions: make it anew for each item of work, or keep a "
        "dict keyed by session id"
    ),
    "local variable of a thread": (
        "{name} lives as long as the thread, which works for all sessions: make it anew for each item of work, or keep "
        "a dict keyed by session id"
    ),
    "closure cell": "{name} lives in a closure that all requests share: keep it in an object made for each session",
    "functools cache": "key {name} by user or session as well, or do not cache what depends on who asks",
    "ContextVar default": (
        "the default of a ContextVar is one object for all contexts: leave it out, and set a new value in each request"
    ),
    "leaked context": (
        "a task, a callback and a thread keep the context in which they are made, or what was set in it, and with it "
        "{name}: start what works for everybody when the application starts, or with context=contextvars.Context(), "
        "run each job of a pool in contextvars.copy_context(), and hand over what is needed with each item of work"
    ),
    "environment variable": (
        "{name} belongs to the whole process: pass the value as an argument; not even a lock makes it safe for code "
        "that reads it later"
    ),
    "file": "give each session a file of its own, or a name made by tempfile: {name} is one for all",
    "function attribute": (
        "{name} is one for all who call the function: pass the value as an argument, or keep it in an object made for "
        "each session"
    ),
    "working directory": (
        "{name} belongs to the whole process, and no lock keeps it for code that opens a file later: leave it, and "
        "open files by absolute paths"
    ),
    "thread-local": (
        "a thread-local is shared by all requests on one event loop, and a pool hands the thread with what is in it to "
        "the next request: use a ContextVar, set in each request; else set {name} first thing in each request and "
        "delete it in a finally clause"
    ),
}


UNNAMED = (
    "look at what the code of both requests reaches, such as a client, a connection, a cache or a file: give each "
    "session one of its own, or put the session's id into its key; then check again, for the cause could not be proven"
)


def fix_for(name: str, kind: str, cls: str) -> str:
    """One sentence. A scalar that is overwritten between two awaits has a nearer remedy than a store."""
    kind, _, library = kind.partition(" in ")
    end = {"cancellation": "is cancelled", "exception": "fails"}.get(cls)
    if library and end:
        return (
            f"{name} belongs to {library}, which leaves it dirty when a request {end}: look for a newer version; else "
            "close what the request used then and make a new one, or give each session an object of its own"
        )
    if library:
        return (
            f"{name} belongs to {library}: give each session an object of its own, or a key with the user in it; "
            "if it has no room for either, look for a newer version, and report it"
        )
    if name.endswith("']") and kind in ("module global", "class attribute", "instance attribute", "closure cell"):
        kind = "entry"
    advice = _FIXES.get(kind, "keep {name} apart for each session").format(name=name)
    if end:
        return (
            f"reset {name}, or discard what it holds, when a request {end}: that belongs into a finally clause. "
            f"Else {advice}"
        )
    if cls == "interleaved" and kind in ("module global", "class attribute", "instance attribute", "entry"):
        return (
            f"do not keep per-request data in {name} while a request waits: pass it as an argument or a local. "
            f"Else {advice}"
        )
    return advice
