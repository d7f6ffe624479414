"""Types whose instances are not looked into: by the module they are of."""

from __future__ import annotations

# Types whose instances hold nothing that belongs to a user: patterns, dates, locks, loggers, annotations.
INERT_MODULES = frozenset(
    {
        *("re", "datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo", "logging", "_thread", "typing"),
        *("abc", "_abc", "ipaddress", "string", "inspect", "weakref", "_weakref", "_weakrefset", "importlib"),
        *("__future__", "operator", "_operator"),
    }
)


# The same for types of libraries, most of them written in C: what they hold is settled when they are made.
INERT_LIBRARIES = frozenset({"pydantic_core", "propcache", "yarl", "typing_extensions", "annotated_types", "_struct"})
# Of these, what a program hangs on an instance is the program's: `log.user = …`, the `extra` of an adapter.
OFTEN_HUNG_ON = frozenset({"logging", "string"})
# What leads to all other loggers, to open files, and what changes whenever one is used.
OF_EVERY_LOGGER = frozenset({"manager", "parent", "root", "stream", "lock", "_cache"})
