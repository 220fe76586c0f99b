"""A carrier of our own for tests: it keeps its own records and misbehaves on request."""
