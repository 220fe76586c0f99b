"""What a demonstration leaves on servers that are not its own, and its removal."""

import psycopg
from kombu import Connection
from psycopg import sql

from config.env import ALIASES
from orchestration.messaging.topology import Topology


def drop_databases(server_url: str, *, prefix: str) -> None:
    """Remove all seven databases, ending the sessions that still use them."""
    with psycopg.connect(server_url, dbname="postgres", autocommit=True) as connection:
        for alias in ALIASES:
            name = sql.Identifier(prefix + alias)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def delete_queues(broker_url: str, *, prefix: str) -> None:
    """Remove every queue and exchange of a prefix from RabbitMQ."""
    topology = Topology(prefix=prefix, queue_type="classic")
    with Connection(broker_url) as connection, connection.channel() as channel:
        for queue in (*topology.queues, topology.dead_letter_queue):
            queue.bind(channel).delete()
        for exchange in (topology.exchange, topology.dead_letter_exchange):
            exchange.bind(channel).delete()
