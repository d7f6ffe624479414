"""What the user's interpreter is started with: makes `crosslane.replay` importable from its folder, then serves.

Crosslane is usually not installed for that interpreter, and its own dependencies must not appear there either: so the
package is put together by hand from the folder that this file stands in, and nothing is added to `sys.path`.
"""

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import os
import sys


def _make_importable(folder: str) -> None:
    namespace = importlib.util.module_from_spec(importlib.machinery.ModuleSpec("crosslane", None, is_package=True))
    sys.modules["crosslane"] = namespace
    spec = importlib.util.spec_from_file_location(
        "crosslane.replay", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["crosslane.replay"] = package
    spec.loader.exec_module(package)
    namespace.replay = package  # type: ignore[attr-defined]


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.version_info < (3, 11):  # noqa: UP036 - it is the user's interpreter
        sys.stderr.write(f"crosslane: needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}\n")
        sys.exit(2)
    # The folder of a script, where it really is, is put first on the path; `job`, `client` … must not hide the user's
    # modules.
    sys.path = [path for path in sys.path if os.path.realpath(path or os.getcwd()) != os.path.realpath(here)]
    _make_importable(os.path.dirname(here))
    # Nothing of what is imported here is garbage, now or ever: looking for some would take a tenth of the start.
    gc.disable()
    from crosslane.replay.worker.serve import main  # pyright: ignore

    gc.freeze()
    gc.enable()
    # Ours is kept compiled: for an interpreter other than our own nobody else does that, and compiling takes longer
    # than a short search. The program's folders are not written to, neither here nor in what it starts.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    main()
