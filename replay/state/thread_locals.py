"""What each thread has put into a thread-local, which by itself shows every thread no more than its own.

A pool hands a thread to one request after another, and what the first left there meets the next: so those who look
for what requests share have to see all of it, from whatever thread they look. CPython keeps the attributes of each
thread in a dict of its own, and the thread-local refers to all of them, as the garbage collector has to know.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any


def is_thread_local(value: Any) -> bool:
    return issubclass(type(value), threading.local)


def attributes_by_thread(local: Any) -> list[dict[str, Any]]:
    """The attributes that it has on each thread, in the order in which the threads came to it. They are the dicts
    themselves: what is put into one is seen by its thread."""
    found: list[dict[str, Any]] = []
    for table in gc.get_referents(local):
        if type(table) is dict and table and all(_stands_for_a_thread(owner) for owner in table):
            found += [attributes for attributes in table.values() if type(attributes) is dict]
    return found


def _stands_for_a_thread(owner: Any) -> bool:
    return type(owner) is weakref.ref or type(owner).__name__ == "_localdummy"  # the latter from Python 3.13 on
