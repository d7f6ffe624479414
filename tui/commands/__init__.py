"""Commands that have a file of their own, one a file."""
