"""URLs of Flower's pages for a task and for the tasks of a saga."""

from uuid import UUID

from django.conf import settings


def task_url(task_id: str) -> str:
    """Return the URL of Flower's page of a task, or "" when no `settings.FLOWER_URL` is set."""
    return f"{settings.FLOWER_URL}/task/{task_id}" if settings.FLOWER_URL else ""


def saga_url(saga_id: UUID) -> str:
    """Return the URL of Flower's page of a saga's tasks, or "" when no `settings.FLOWER_URL` is set."""
    return f"{settings.FLOWER_URL}/saga/{saga_id}" if settings.FLOWER_URL else ""
