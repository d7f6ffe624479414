"""`python -m crosslane.tui`: the same as the command `crosslane`."""

from .cli import main

main()
