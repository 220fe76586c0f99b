"""Flower as this shop runs it: behind a login, read-only unless told otherwise, and linked with the sagas' pages."""
