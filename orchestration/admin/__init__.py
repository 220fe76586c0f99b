"""What operators see and do in the admin."""

from orchestration.admin.sagas import SagaAdmin

__all__ = ["SagaAdmin"]
