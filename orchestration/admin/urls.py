"""The URLs of operators' pages, besides those of the admin's tables."""

from django.urls import path

from orchestration.admin import (
    action_view,
    batch_views,
    dashboard,
    findings,
    incidents,
    locks,
    log_entry_view,
    machinery,
    new_batch,
    sagas,
)

app_name = "operations"

urlpatterns = [
    path("tiles/<slug:name>/", dashboard.tile, name="tile"),
    path("sagas/<uuid:saga_id>/timeline.svg", sagas.timeline, name="timeline"),
    path("batches/", batch_views.batches, name="batches"),
    path("batches/new/", new_batch.new, name="batch-new"),
    path("batches/new/<slug:name>/", new_batch.new, name="batch-ask"),
    path("batches/<uuid:batch_id>/", batch_views.batch, name="batch"),
    path("batches/<uuid:batch_id>/progress/", batch_views.progress, name="batch-progress"),
    path("batches/<uuid:batch_id>/approve/", batch_views.approve, name="batch-approve"),
    path("batches/<uuid:batch_id>/stop/", batch_views.stop, name="batch-stop"),
    path("incidents/", incidents.incidents, name="incidents"),
    path("sagas/<uuid:saga_id>/<slug:name>/", action_view.act, name="act"),
    path("log/<int:entry_id>/", log_entry_view.entry, name="entry"),
    path("log/<int:entry_id>/observed/", log_entry_view.observed, name="observed"),
    path("log/<int:entry_id>/standing/", log_entry_view.saga_status, name="standing"),
    path("breakers/", machinery.breakers, name="breakers"),
    path("breakers/<str:name>/open/", machinery.open_breaker, name="breaker-open"),
    path("breakers/<str:name>/close/", machinery.close_breaker, name="breaker-close"),
    path("locks/", locks.locks, name="locks"),
    path("locks/break/", locks.ask_to_break, name="lock-break"),
    path("locks/approve/", locks.approve, name="lock-approve"),
    path("dead-letters/", machinery.dead_letters, name="dead-letters"),
    path("dead-letters/<slug:dead_letter_id>/send/", machinery.send_again, name="letter-send"),
    path("dead-letters/<slug:dead_letter_id>/discard/", machinery.discard, name="letter-discard"),
    path("findings/", findings.findings, name="findings"),
    path("findings/<int:finding_id>/", findings.finding, name="finding"),
    path("findings/<int:finding_id>/apply/", findings.apply, name="finding-apply"),
    path("findings/<int:finding_id>/accept/", findings.accept, name="finding-accept"),
]
