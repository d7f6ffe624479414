"""How the code under test is loaded and called, one kind a file."""
