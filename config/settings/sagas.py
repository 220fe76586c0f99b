"""How long sagas wait, and who is at the other end of the ports."""

from datetime import timedelta

from config.settings._values import VALUES

RECOVERY_PERIOD = timedelta(seconds=VALUES["RECOVERY_PERIOD_SECONDS"])  # a due saga waits at most this much longer
PRESUMED_LOST_AFTER = timedelta(seconds=VALUES["PRESUMED_LOST_SECONDS"])  # before asking whether a message is lost
MARKER_PERIOD = PRESUMED_LOST_AFTER / 2  # a marker can be lost like any message: while one is missed, a new one follows
MARKER_HEAD_START = PRESUMED_LOST_AFTER / 3  # how much slower a message may be than the marker behind it: it does work

REDIS_URL = VALUES["REDIS_URL"]
BREAKER_FAIL_MAX = VALUES["BREAKER_FAIL_MAX"]
BREAKER_RESET = timedelta(seconds=VALUES["BREAKER_RESET_SECONDS"])

PAYMENT_GATEWAY = VALUES["PAYMENT_GATEWAY"]
CARRIER = VALUES["CARRIER"]
SANDBOX_TIMEOUT = timedelta(seconds=VALUES["SANDBOX_TIMEOUT_SECONDS"])
