"""Commands of `manage.py` that measure, replay or fill a whole shop."""
