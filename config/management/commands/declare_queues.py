"""`manage.py declare_queues`: creates the broker's queues and exchanges."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError

from config.celery import app

TO_DO = "drain and delete it, then declare again; or set SHOP_QUEUE_TYPE to what it is"


class Command(BaseCommand):
    help = "Create the queues and exchanges that do not exist yet. Existing ones are not changed."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
                differing = settings.TOPOLOGY.declare(connection)
        except (OperationalError, OSError) as error:
            raise CommandError(f"SHOP_BROKER_URL: {connection.as_uri()}: {error}") from None
        if differing:
            raise CommandError("; ".join(f"{name}: {said}" for name, said in differing.items()) + f"; {TO_DO}")
        self.stdout.write(f"{len(settings.TOPOLOGY.queues) + 1} queues")
