"""Who runs next: the controlled loop, the strategies that answer that question, and the search over schedules."""
