"""Celery's remote control, with the shop's prefix in front of all its exchanges and queues."""

from typing import Any

from celery.app import control
from kombu import Queue, pidbox


class Mailbox(pidbox.Mailbox):  # type: ignore[misc]
    """Name the mailbox's exchanges and queues so that they begin with the namespace.

    In kombu's names it is in the middle.
    """

    reply_exchange_fmt = "%s.reply.pidbox"

    def get_queue(self, hostname: str) -> Queue:
        return _named(super().get_queue(hostname), f"{self.namespace}.{hostname}.pidbox")

    def get_reply_queue(self) -> Queue:
        return _named(super().get_reply_queue(), f"{self.reply_exchange_fmt % self.namespace}.{self.oid}")


class Control(control.Control):  # type: ignore[misc]
    """Celery's remote control with this mailbox."""

    Mailbox = Mailbox


def _named(queue: Any, name: str) -> Queue:
    queue.name = name
    return queue
