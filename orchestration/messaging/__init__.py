"""RabbitMQ through Celery: topology, routing, the chain, publishing, and the base of every task."""
