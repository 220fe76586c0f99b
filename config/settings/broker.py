"""Celery and its broker: short timeouts, late acks, JSON only, results of failures only."""

from datetime import timedelta

from config import tls
from config.settings._values import VALUES
from orchestration.messaging.topology import ORCHESTRATOR, Topology

TOPOLOGY = Topology(prefix=VALUES["QUEUE_PREFIX"], queue_type=VALUES["QUEUE_TYPE"])
BROKER_HAS_CONFIRMS = VALUES["BROKER_URL"].startswith(("amqp://", "amqps://"))

CELERY_BROKER_URL = VALUES["BROKER_URL"]
CELERY_BROKER_USE_SSL = tls.of_broker(tls.tls_of(VALUES, "BROKER"), VALUES["BROKER_URL"])
CELERY_BROKER_CONNECTION_TIMEOUT = 2  # seconds: the longest that a request waits for a broker that does not answer
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Seconds. After two to three missed heartbeats RabbitMQ gives a consumer's messages to other workers. So a frozen
# worker keeps its messages for 8 to 12 s. A worker notices a half-open connection after two missed heartbeats.
CELERY_BROKER_HEARTBEAT = 4
CELERY_BROKER_POOL_LIMIT = 16  # publishing connections that a process keeps, at least one a thread
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "confirm_publish": True,
        "read_timeout": 10,  # seconds; without it a memory or disk alarm blocks the publisher for ever
        "write_timeout": 10,
        "client_properties": {"connection_name": "shop"},
    }
    if BROKER_HAS_CONFIRMS
    else {
        "visibility_timeout": 60,
        "socket_timeout": 10,
        "socket_connect_timeout": 2,
        **{f"{key}_key": TOPOLOGY.name(key) for key in ("unacked", "unacked_index", "unacked_mutex")},
    }
)

CELERY_EVENT_EXCHANGE = CELERY_EVENT_QUEUE_PREFIX = TOPOLOGY.name("celeryev")
CELERY_CONTROL_EXCHANGE = TOPOLOGY.name("celery")  # config.control derives its names from it

CELERY_TASK_QUEUES = TOPOLOGY.queues
CELERY_TASK_ROUTES = ("orchestration.messaging.routing:route",)
CELERY_TASK_CREATE_MISSING_QUEUES = False  # else a typo would create a queue that no worker consumes
CELERY_TASK_DEFAULT_QUEUE = TOPOLOGY.name(ORCHESTRATOR)
CELERY_TASK_DEFAULT_EXCHANGE = TOPOLOGY.exchange.name
CELERY_TASK_DEFAULT_ROUTING_KEY = TOPOLOGY.name(ORCHESTRATOR)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_SERIALIZER = "json"
CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}

CELERY_RESULT_BACKEND = "config.results:Results"
CELERY_TASK_IGNORE_RESULT = True  # a row for a success costs four statements and seven index entries
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = True
CELERY_RESULT_EXTENDED = True  # task name and worker beside the traceback; arguments are stored as their safe repr
CELERY_RESULT_EXPIRES = timedelta(days=30)

CELERY_WORKER_PREFETCH_MULTIPLIER = 8  # for each queue: a worker's largest batch
CELERY_WORKER_SEND_TASK_EVENTS = False  # workers that Flower watches are started with -E
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # the ledger makes the second run harmless
CELERY_WORKER_CONSUMER = "config.celery:Consumer"

CELERY_BEAT_SCHEDULE = {
    "recover": {
        "task": "orchestration.recover",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 10},
    },
}
