"""One command line command a file, registered in `table.py`."""
