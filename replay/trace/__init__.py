"""What was recorded: the model, the JSONL store, and which lane each request belongs to."""
