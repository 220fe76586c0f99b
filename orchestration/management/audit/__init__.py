"""The parts of `manage.py audit`."""
