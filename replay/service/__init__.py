"""Replaying against a service that runs in its own process, in whatever language: see `drive`."""
