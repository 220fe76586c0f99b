"""How long sagas wait, and who is at the other end of the ports."""

from datetime import timedelta

from config import tls
from config.settings._values import VALUES

RECOVERY_PERIOD = timedelta(seconds=VALUES["RECOVERY_PERIOD_SECONDS"])  # a due saga waits at most this much longer
PRESUMED_LOST_AFTER = timedelta(seconds=VALUES["PRESUMED_LOST_SECONDS"])  # before asking whether a message is lost
MARKER_PERIOD = PRESUMED_LOST_AFTER / 2  # a marker can be lost like any message: while one is missed, a new one follows
MARKER_HEAD_START = PRESUMED_LOST_AFTER / 3  # how much slower a message may be than the marker behind it: it does work

SETTLE_AFTER = timedelta(seconds=VALUES["SETTLE_AFTER_SECONDS"])  # a call outside has answered by then, or will not
SETTLE_PERIOD = SETTLE_AFTER  # what the other side did not know yet is asked after this often
KEY_MARGIN = timedelta(seconds=VALUES["KEY_MARGIN_SECONDS"])  # a key's last hour: nothing is called under it again

AUDIT_PERIOD = timedelta(seconds=VALUES["AUDIT_PERIOD_SECONDS"])  # how often all books are compared; zero: never

REDIS_URL = tls.redis_url(tls.tls_of(VALUES, "REDIS"), VALUES["REDIS_URL"])
BREAKER_FAIL_MAX = VALUES["BREAKER_FAIL_MAX"]
BREAKER_RESET = timedelta(seconds=VALUES["BREAKER_RESET_SECONDS"])

BATCHES_AT_A_TIME = VALUES["BATCHES_AT_A_TIME"]  # of all steps, in one worker: more of them are smaller and cost more
GO_ON_HERE = VALUES["GO_ON_HERE"]  # whether a worker that also consumes the next step's queue goes on with it at once
CALLS_AT_ONCE = VALUES["CALLS_AT_ONCE"]  # of each command, in one worker: calls to gateway or carrier under way

PAYMENT_GATEWAY = VALUES["PAYMENT_GATEWAY"]
CARRIER = VALUES["CARRIER"]
SANDBOX_TIMEOUT = timedelta(seconds=VALUES["SANDBOX_TIMEOUT_SECONDS"])

BACKLOG_LIMIT = VALUES["BACKLOG_LIMIT"]  # unfinished sagas, beyond which new orders are answered 503; 0: none
FAULT_POINTS = VALUES["FAULT_POINTS"]  # whether tests may kill, repeat and lose at the failpoints of this process
