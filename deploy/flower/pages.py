"""Flower's pages with links to the sagas: from a task to its saga, and a page of one saga's tasks."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from flower import urls
from flower.utils.tasks import iter_tasks
from flower.views import BaseHandler
from flower.views.monitor import Metrics
from flower.views.tasks import TaskView
from tornado import web
from tornado.escape import xhtml_escape
from tornado.template import Loader

TEMPLATES = Path(__file__).parent / "templates"
SHOWN = 500
"""The most tasks of one saga that a page shows."""

_SAGA = re.compile(r"'saga_id': '([0-9a-f-]{36})'")


class LinkedTaskView(TaskView):  # type: ignore[misc]
    """A task's page, with a link to its saga."""

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        page: bytes = super().render_string(template_name, **kwargs)
        saga_id = saga_of(kwargs["task"].kwargs) if "task" in kwargs else None
        return page.replace(b"</dl>", _row(self, saga_id).encode() + b"</dl>", 1) if saga_id else page


class SagaView(BaseHandler):  # type: ignore[misc]
    """The tasks of one saga that Flower has seen, oldest first."""

    @web.authenticated
    def get(self, saga_id: str) -> None:
        try:
            page = saga_url(UUID(saga_id))
        except ValueError as error:
            raise web.HTTPError(404, f"{saga_id} is no id") from error
        tasks = [task for _, task in iter_tasks(self.application.events, search=f"kwargs:{saga_id}", limit=SHOWN)]
        tasks.sort(key=lambda task: task.received or task.timestamp or 0)
        self.render("saga.html", saga_id=saga_id, saga_url=page, tasks=tasks)


class LockedMetrics(Metrics):  # type: ignore[misc]
    """Flower's own metrics, behind the login. Without this, Flower shows names of workers and tasks to everyone."""

    @web.authenticated
    async def get(self) -> None:
        await super().get()


class CombinedLoader(Loader):
    """Loader of Flower's templates and ours."""

    def _create_template(self, name: str) -> Any:
        ours = TEMPLATES / name
        return super()._create_template(str(ours) if ours.exists() else name)


def install() -> None:
    """Replace Flower's pages with these where both have the same URL, and add the others."""
    urls.settings["template_loader"] = CombinedLoader(urls.settings["template_path"])
    ours: dict[str, Any] = {"/task/(.+)$": LinkedTaskView, "/metrics": LockedMetrics}
    for number, rule in enumerate(urls.handlers):
        urls.handlers[number] = _instead(rule, ours)
    urls.handlers.insert(0, web.url(r"/saga/([0-9a-f-]{36})", SagaView, name="saga"))


def saga_of(kwargs: str | None) -> UUID | None:
    """Return the saga's id from a task's arguments as events show them, or None if they contain none."""
    found = _SAGA.search(kwargs or "")
    return UUID(found[1]) if found else None


def saga_url(saga_id: UUID) -> str:
    """Return the URL of the saga's page in the admin. Without SHOP_PUBLIC_URL, return only its path."""
    return str(settings.PUBLIC_URL + reverse("admin:orchestration_sagainstance_change", args=[saga_id]))


def _row(handler: BaseHandler, saga_id: UUID) -> str:
    page, tasks = xhtml_escape(saga_url(saga_id)), xhtml_escape(handler.reverse_url("saga", str(saga_id)))
    return (
        '<div class="detail-row task-data-row"><dt>Saga</dt>'
        f'<dd><a href="{page}">{saga_id}</a> (<a href="{tasks}">all its tasks</a>)</dd></div>'
    )


def _instead(rule: Any, ours: dict[str, Any]) -> Any:
    if isinstance(rule, web.url):
        handler = ours.get(rule.regex.pattern)
        return web.url(rule.regex.pattern, handler, name=rule.name) if handler else rule
    return (rule[0], ours[rule[0]]) if rule[0] in ours else rule
