"""An operator in the admin, and sagas to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

SAGAS = "/admin/orchestration/sagainstance/"


@dataclass(frozen=True)
class Operator:
    """Somebody of the staff, with the permissions they were given."""

    client: Client

    def page(self, saga_id: UUID | str) -> Any:
        return self.client.get(f"{SAGAS}{saga_id}/change/")

    def listed(self, **query: str) -> list[UUID]:
        """The sagas on the first page of the list."""
        return [row.pk for row in self.client.get(SAGAS, query).context["rows"]]


@pytest.fixture
def hire(db: None) -> Callable[..., Operator]:
    def hire(*permissions: str) -> Operator:
        user = User.objects.create_user("operator", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return Operator(client)

    return hire


@pytest.fixture
def operator(hire: Callable[..., Operator]) -> Operator:
    """Somebody who may look at sagas and at failed tasks, and do nothing else."""
    return hire("view_sagainstance", "view_taskresult")
