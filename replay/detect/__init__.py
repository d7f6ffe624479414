"""What an execution shows: values and their owners, crossings, influences, what a session forgot."""
