"""Who may do what to sagas."""

from typing import Protocol

from orchestration.models.actions import Action
from orchestration.operators.actions.requests import PERMISSIONS

APPROVE_BATCH = "orchestration.approve_batch"
"""To be the second person of a batch that moves money, beside the permission of its action."""

STOP_BATCH = "orchestration.stop_batch"

OPERATE_BREAKERS = "orchestration.operate_breakers"
HANDLE_DEAD_LETTERS = "orchestration.handle_dead_letters"


class User(Protocol):
    """Somebody with permissions, such as Django's users."""

    def has_perm(self, perm: str, /) -> bool: ...


def allowed(user: User, action: Action) -> bool:
    """Return whether the user may do the action to a saga."""
    return user.has_perm(PERMISSIONS[action])


def may_approve(user: User, action: Action) -> bool:
    """Return whether the user may approve a batch of that action."""
    return user.has_perm(APPROVE_BATCH) and allowed(user, action)
