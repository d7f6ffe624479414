"""One command line command a file, registered in `tui/cli.py`."""
