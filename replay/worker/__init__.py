"""The process that holds the user's code, and the client that talks to it in JSON lines."""
