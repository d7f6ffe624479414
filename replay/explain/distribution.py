"""Which installed distribution a module is of, with its version: what to look up, to report to, and to update.

Several distributions may put modules into one package (`langgraph`, `google.cloud`, `opentelemetry`): there the files
that each has recorded tell.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib import metadata


@functools.cache
def distribution_of(module: str) -> str:
    """Its name and version; where the module was imported from none that is installed, the library's own name."""
    package = module.partition(".")[0]
    names = [*dict.fromkeys(metadata.packages_distributions().get(package, ()))]
    if len(names) > 1:
        package, names = module, [name for name in names if _has(name, module)]
    return f"{names[0]} {metadata.version(names[0])}" if names else f"the library {package}"


def _has(name: str, module: str) -> bool:
    """Whether a distribution has recorded the file that the module was loaded from."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str):
        return False
    path = os.path.realpath(file)
    # Only what is called the same is looked up: a distribution has thousands of files.
    files = metadata.files(name) or []
    return any(each.name == os.path.basename(path) and os.path.realpath(str(each.locate())) == path for each in files)
