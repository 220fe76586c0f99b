"""The paths of the staff API, below /api/v1/."""

from django.urls import path

from orchestration.operators.api.actions import Actions
from orchestration.operators.api.batches import Approval, BatchList, BatchStop, OneBatch
from orchestration.operators.api.breakers import Breakers, Close, Open
from orchestration.operators.api.locks import LockBreakApproval, LockBreaking, LockList
from orchestration.operators.api.machinery_log import MachineryLog
from orchestration.operators.api.sagas import OneSaga, OperatorLog, SagaCount, Sagas, WhyOfSaga
from orchestration.operators.api.timeline import ShopFigures, Timeline

urlpatterns = [
    path("sagas", Sagas.as_view(), name="sagas"),
    path("sagas/count", SagaCount.as_view(), name="saga-count"),
    path("sagas/<uuid:saga_id>", OneSaga.as_view(), name="saga"),
    path("sagas/<uuid:saga_id>/why", WhyOfSaga.as_view(), name="saga-why"),
    path("sagas/<uuid:saga_id>/operator-log", OperatorLog.as_view(), name="saga-operator-log"),
    path("sagas/<uuid:saga_id>/actions", Actions.as_view(), name="saga-actions"),
    path("sagas/<uuid:saga_id>/timeline", Timeline.as_view(), name="saga-timeline"),
    path("saga-batches", BatchList.as_view(), name="saga-batches"),
    path("saga-batches/<uuid:batch_id>", OneBatch.as_view(), name="saga-batch"),
    path("saga-batches/<uuid:batch_id>/approve", Approval.as_view(), name="saga-batch-approval"),
    path("saga-batches/<uuid:batch_id>/stop", BatchStop.as_view(), name="saga-batch-stop"),
    path("stats", ShopFigures.as_view(), name="stats"),
    path("breakers", Breakers.as_view(), name="breakers"),
    path("breakers/<str:name>/open", Open.as_view(), name="breaker-opening"),
    path("breakers/<str:name>/close", Close.as_view(), name="breaker-closing"),
    path("locks", LockList.as_view(), name="locks"),
    path("locks/<path:resource>/break", LockBreaking.as_view(), name="lock-break"),
    path("locks/<path:resource>/break/approve", LockBreakApproval.as_view(), name="lock-break-approval"),
    path("machinery-log", MachineryLog.as_view(), name="machinery-log"),
]
