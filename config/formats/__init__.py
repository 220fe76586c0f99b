"""Formats of dates and times in the admin, the same as everywhere else in the project."""
