"""The permissions of operators' actions."""

from typing import Protocol

from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.requests import PERMISSIONS

APPROVE_BATCH = "orchestration.approve_batch"
"""The permission to approve a batch that moves money, as its second person. The action's own permission is needed, too.
"""

STOP_BATCH = "orchestration.stop_batch"

OPERATE_BREAKERS = "orchestration.operate_breakers"
HANDLE_DEAD_LETTERS = "orchestration.handle_dead_letters"
BREAK_LOCK = "orchestration.break_lock"
"""The permission to ask to break a lock, and to approve what another person has asked for."""
TRANSFER_CREDIT = "payments.transfer_credit"


class User(Protocol):
    """An object with permissions, such as a user of Django."""

    def has_perm(self, perm: str, /) -> bool: ...


def allowed(user: User, action: OperatorAction) -> bool:
    """Return whether the user may do the action to a saga."""
    return user.has_perm(PERMISSIONS[action])


def may_approve(user: User, action: OperatorAction) -> bool:
    """Return whether the user may approve a batch of that action."""
    return user.has_perm(APPROVE_BATCH) and allowed(user, action)
