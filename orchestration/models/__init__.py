"""Every table of the orchestrator, and the enums of its columns."""

from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.models.deadlocks import Deadlock
from orchestration.models.lock_breaks import LockBreak
from orchestration.models.operators import Batch, BatchMember, MachineryLogEntry, OperatorLogEntry
from orchestration.models.retention import PurgedSaga
from orchestration.models.sagas import ALIAS, OFF_THE_STRAIGHT_WAY, UNFINISHED, Marker, SagaInstance, SagaLogEntry

__all__ = (
    "ALIAS",
    "OFF_THE_STRAIGHT_WAY",
    "UNFINISHED",
    "AuditFinding",
    "AuditRun",
    "Batch",
    "BatchMember",
    "Deadlock",
    "LockBreak",
    "MachineryLogEntry",
    "Marker",
    "OperatorLogEntry",
    "PurgedSaga",
    "SagaInstance",
    "SagaLogEntry",
)
