"""The configuration of gunicorn: few processes, with enough threads for requests that wait for an outcome."""

import gc
import os
from typing import Any

from config.settings.http import WEB_AT_WORK, WEB_QUEUED, WEB_SPARE, WEB_WAITING
from config.settings.logs import LOGGING

bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "deploy.webworker.Worker"
threads = WEB_AT_WORK + WEB_QUEUED + WEB_WAITING + WEB_SPARE  # at most: a thread starts when it is needed
timeout = 30  # seconds without a sign of life from a process
graceful_timeout = 15  # seconds for requests in flight at a stop; above the longest wait
keepalive = 5  # seconds; above a proxy's pause between two requests
max_requests = 10_000  # a process is renewed after so many, against slow leaks
max_requests_jitter = 1_000
secure_scheme_headers: dict[str, str] = {}  # config.proxies decides which proxy's scheme header is trusted
limit_request_line = 4_094  # bytes
limit_request_fields = 50
DISCARDED_BYTES = 64 * 1024  # gunicorn 27, http/parser.py
accesslog = None
errorlog = "-"
logconfig_dict = {**LOGGING, "loggers": {"gunicorn.error": {"level": "INFO", "propagate": True}}}


def pre_request(worker: Any, request: Any) -> None:
    """Announce that the connection closes if more of a body may stay unread than gunicorn discards before it closes."""
    headers = dict(request.headers)
    if "TRANSFER-ENCODING" in headers or int(headers.get("CONTENT-LENGTH", 0)) > DISCARDED_BYTES:
        request.force_close()


def post_worker_init(worker: Any) -> None:
    """Freeze the objects loaded so far, so that garbage collection skips them: they stay, and scanning takes 0.1 s."""
    gc.collect()
    gc.freeze()
