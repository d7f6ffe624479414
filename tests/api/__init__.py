"""The calls from Python, and what stands between them and a job."""
