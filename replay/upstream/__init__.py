"""What stands between the handler and the LLM and tools that it calls."""
