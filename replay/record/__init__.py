"""Recorders: a reverse proxy, and middleware for ASGI, aiohttp and WSGI applications. All write the same trace file."""
