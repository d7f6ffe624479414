"""One command a file; `cli.py` names them."""
