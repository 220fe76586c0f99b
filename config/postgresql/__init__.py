"""Django's PostgreSQL backend, for threads that may not wait for long."""
