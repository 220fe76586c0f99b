"""Celery's remote control, all of whose exchanges and queues take the prefix of the shop."""

from typing import Any

from celery.app import control
from kombu import Queue, pidbox


class Mailbox(pidbox.Mailbox):  # type: ignore[misc]
    """Where workers are asked and answer, under names that begin with the namespace; kombu has it in their middle."""

    reply_exchange_fmt = "%s.reply.pidbox"

    def get_queue(self, hostname: str) -> Queue:
        return _named(super().get_queue(hostname), f"{self.namespace}.{hostname}.pidbox")

    def get_reply_queue(self) -> Queue:
        return _named(super().get_reply_queue(), f"{self.reply_exchange_fmt % self.namespace}.{self.oid}")


class Control(control.Control):  # type: ignore[misc]
    """Celery's, with this mailbox."""

    Mailbox = Mailbox


def _named(queue: Any, name: str) -> Queue:
    queue.name = name
    return queue
