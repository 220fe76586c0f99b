"""The commands of `manage.py` for sagas, breakers and audits, and their common parts."""
