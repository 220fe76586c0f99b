"""Where Flower shows a task, and the tasks of a saga."""

from uuid import UUID

from django.conf import settings


def task_url(task_id: str) -> str:
    """Flower's page of a task; empty when nobody said where Flower is."""
    return f"{settings.FLOWER_URL}/task/{task_id}" if settings.FLOWER_URL else ""


def saga_url(saga_id: UUID) -> str:
    """Flower's page of all tasks of a saga; empty when nobody said where Flower is."""
    return f"{settings.FLOWER_URL}/saga/{saga_id}" if settings.FLOWER_URL else ""
