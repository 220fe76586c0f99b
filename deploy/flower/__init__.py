"""Flower as this shop runs it: behind a login, read-only by default, and linked with the sagas' pages."""
