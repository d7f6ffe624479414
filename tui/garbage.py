"""When the garbage of cycles is looked for: not while the program starts.

What is imported and laid out for the first frame stays for as long as the program runs; to walk through it again and
again takes more than a tenth of the time until that frame. Afterwards it is left out for good, so that later rounds,
which come while keys are pressed, are short.
"""

from __future__ import annotations

import gc


def hold() -> None:
    gc.disable()


def collect_from_now_on() -> None:
    """What is there now is never looked at again. Without a `hold` before it, nothing changes."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
