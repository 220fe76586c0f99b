"""The Django project: settings, Celery, URLs, health checks and `manage.py doctor`."""

from config.celery import app as celery_app

__all__ = ("celery_app",)
