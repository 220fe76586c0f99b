"""Django's PostgreSQL backend, for threads that have little time to wait."""
