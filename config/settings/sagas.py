"""How long sagas wait, and which providers are called."""

from datetime import timedelta

from config import tls
from config.settings._values import VALUES

# The longest that a due saga waits beyond its time.
RECOVERY_PERIOD = timedelta(seconds=VALUES["RECOVERY_PERIOD_SECONDS"])
# After this time recovery checks whether a message is lost.
PRESUMED_LOST_AFTER = timedelta(seconds=VALUES["PRESUMED_LOST_SECONDS"])
# A marker can be lost like any message, so a new one is published while one is missing.
MARKER_PERIOD = PRESUMED_LOST_AFTER / 2
# How much slower a message may be than the marker behind it, because it does work.
MARKER_HEAD_START = PRESUMED_LOST_AFTER / 3

# An external call has answered by then, or will not answer.
SETTLE_AFTER = timedelta(seconds=VALUES["SETTLE_AFTER_SECONDS"])
SETTLE_PERIOD = SETTLE_AFTER  # how often an open external call is queried again
# The end of a key's life, in which it is not used for a call.
KEY_MARGIN = timedelta(seconds=VALUES["KEY_MARGIN_SECONDS"])

AUDIT_PERIOD = timedelta(seconds=VALUES["AUDIT_PERIOD_SECONDS"])  # how often the audit runs; zero: never

REDIS_URL = tls.redis_url(tls.tls_of(VALUES, "REDIS"), VALUES["REDIS_URL"])
BREAKER_FAIL_MAX = VALUES["BREAKER_FAIL_MAX"]
BREAKER_RESET = timedelta(seconds=VALUES["BREAKER_RESET_SECONDS"])

BATCHES_AT_A_TIME = VALUES["BATCHES_AT_A_TIME"]  # of all steps in one worker: more batches are smaller and cost more
GO_ON_HERE = VALUES["GO_ON_HERE"]  # whether a worker that also consumes the next step's queue runs that step at once
CALLS_AT_ONCE = VALUES["CALLS_AT_ONCE"]  # calls to gateway or carrier in progress, for each command in one worker

PAYMENT_GATEWAY = VALUES["PAYMENT_GATEWAY"]
CARRIER = VALUES["CARRIER"]
SANDBOX_TIMEOUT = timedelta(seconds=VALUES["SANDBOX_TIMEOUT_SECONDS"])

BACKLOG_LIMIT = VALUES["BACKLOG_LIMIT"]  # unfinished sagas beyond which new orders get 503; 0: no limit
# Whether tests may kill the process, and repeat and lose messages, at its failpoints.
FAULT_POINTS = VALUES["FAULT_POINTS"]
