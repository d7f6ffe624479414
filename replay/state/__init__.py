"""What a program keeps between requests: finding it, naming it, putting it back, and keeping it apart for each lane."""
