"""Real orders of the past, read from a file and placed again."""
