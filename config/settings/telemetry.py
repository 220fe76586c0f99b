"""Metrics, traces and links to other tools."""

from config.settings._values import VALUES

METRICS_TOKEN = VALUES["METRICS_TOKEN"]  # the token for /metrics and all of /readyz; empty: no token is accepted
METRICS_NETWORKS = VALUES["METRICS_NETWORKS"]  # clients that connect directly from these networks need no token

TRACES = VALUES["TRACES"]  # empty: no traces, and OpenTelemetry is not imported
TRACES_SHARE = VALUES["TRACES_SHARE"]

PUBLIC_URL = VALUES["PUBLIC_URL"]  # the shop's address for browsers, for links from elsewhere; empty: unknown
FLOWER_URL = VALUES["FLOWER_URL"]  # Flower's address for browsers; empty: no links to it
