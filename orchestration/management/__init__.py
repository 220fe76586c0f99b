"""The commands of `manage.py` for sagas and breakers, and what they share."""
