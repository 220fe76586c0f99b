"""The PostgreSQL, RabbitMQ and Redis that this project runs against, found or started."""

from deploy.servers.postgres import PrivatePostgres
from deploy.servers.private import PrivateServer
from deploy.servers.rabbitmq import PrivateRabbit
from deploy.servers.redis import PrivateRedis

__all__ = ["PrivatePostgres", "PrivateRabbit", "PrivateRedis", "PrivateServer"]
