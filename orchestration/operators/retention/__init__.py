"""Removing sagas that ended long ago, and what services remember of them, when none of it can be needed any more."""
