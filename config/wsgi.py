"""The WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from orchestration.telemetry import shared_counts  # noqa: E402  it needs Django's apps

shared_counts.start()
