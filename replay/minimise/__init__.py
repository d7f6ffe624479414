"""The smallest requests and schedule that still show the same crossing."""
