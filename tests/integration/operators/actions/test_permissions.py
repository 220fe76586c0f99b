"""Each action has a permission of its own, which exists and opens nothing else."""

import pytest
from django.contrib.auth.models import Permission, User

from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.permissions import allowed, may_approve
from orchestration.operators.actions.requests import PERMISSIONS

pytestmark = pytest.mark.django_db(databases=["orchestration"])


def hired(*permissions: str) -> User:
    user = User.objects.create_user("operator")
    codenames = [permission.partition(".")[2] for permission in permissions]
    found = Permission.objects.filter(codename__in=codenames, content_type__app_label="orchestration")
    assert found.count() == len(permissions)
    user.user_permissions.set(found)
    return user


@pytest.mark.parametrize("action", OperatorAction)
def test_a_permission_allows_its_action_only(action):
    user = hired(PERMISSIONS[action])

    assert [each for each in OperatorAction if allowed(user, each)] == [action]
    assert not may_approve(user, action)


def test_nobody_may_anything_by_default():
    assert not any(allowed(hired(), action) for action in [OperatorAction.RESUME])


def test_second_person_needs_the_action_and_the_right_to_approve():
    user = hired(PERMISSIONS[OperatorAction.CANCEL], "orchestration.approve_batch")

    assert may_approve(user, OperatorAction.CANCEL)
    assert not may_approve(user, OperatorAction.COMPENSATE)


def test_every_action_has_one():
    assert set(PERMISSIONS) == set(OperatorAction)
    assert len(set(PERMISSIONS.values())) == len(OperatorAction)
