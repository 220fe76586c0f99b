"""What the shop tells about itself, and to whom."""

from config.settings._values import VALUES

METRICS_TOKEN = VALUES["METRICS_TOKEN"]  # whoever has it may read /metrics and all of /readyz; empty: nobody has
METRICS_NETWORKS = VALUES["METRICS_NETWORKS"]  # whoever asks directly from these needs no token

TRACES = VALUES["TRACES"]  # empty: nothing is traced, and OpenTelemetry is not imported
TRACES_SHARE = VALUES["TRACES_SHARE"]

PUBLIC_URL = VALUES["PUBLIC_URL"]  # where a browser reaches this shop, for links from elsewhere; empty: unknown
FLOWER_URL = VALUES["FLOWER_URL"]  # where a browser reaches Flower; empty: nothing links to it
