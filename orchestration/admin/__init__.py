"""Sagas in the admin, to look at only."""

from orchestration.admin.sagas import SagaAdmin

__all__ = ["SagaAdmin"]
