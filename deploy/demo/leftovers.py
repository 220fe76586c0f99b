"""Removal of what a demonstration leaves on servers that it did not start."""

import psycopg
from kombu import Connection
from psycopg import sql

from config.env import ALIASES
from orchestration.messaging.topology import Topology


def drop_databases(server_url: str, *, prefix: str) -> None:
    """Drop all seven databases and end the sessions that still use them."""
    with psycopg.connect(server_url, dbname="postgres", autocommit=True) as connection:
        for alias in ALIASES:
            name = sql.Identifier(prefix + alias)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def delete_queues(broker_url: str, *, prefix: str) -> None:
    """Delete every queue and exchange with a prefix from RabbitMQ."""
    topology = Topology(prefix=prefix, queue_type="classic")
    with Connection(broker_url) as connection, connection.channel() as channel:
        for queue in (*topology.queues, topology.dead_letter_queue):
            queue.bind(channel).delete()
        for exchange in (topology.exchange, topology.dead_letter_exchange):
            exchange.bind(channel).delete()
