"""Removing sagas that ended long ago, and what services remember of them, when nobody can ask for it any more."""
