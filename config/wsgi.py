"""The WSGI application."""

import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
APP_LOAD_ERROR = 4
"""A gunicorn worker that ends with this exit code is not started again."""

try:
    application = get_wsgi_application()
except SystemExit as end:  # a setting is invalid
    print(end.code, file=sys.stderr)
    sys.exit(APP_LOAD_ERROR)

from orchestration.telemetry import redis_counts  # noqa: E402  it needs Django's apps

redis_counts.start()
