"""The engine of Crosslane: trace -> execute -> run -> crossing -> repro. It knows nothing of any screen.

Everything the worker process imports lives here and needs the standard library alone, because the worker runs under
the interpreter of the user's project, where Crosslane is not installed.
"""
