"""Addresses of operators' pages, beside those of the admin's tables."""

from django.urls import path

from orchestration.admin import action_view as acting
from orchestration.admin import batch_views as bulk
from orchestration.admin import dashboard as tiles
from orchestration.admin import findings, incidents, machinery, new_batch, sagas
from orchestration.admin import log_entry_view as entries

app_name = "operations"

urlpatterns = [
    path("tiles/<slug:name>/", tiles.tile, name="tile"),
    path("sagas/<uuid:saga_id>/timeline.svg", sagas.timeline, name="timeline"),
    path("batches/", bulk.batches, name="batches"),
    path("batches/new/", new_batch.new, name="batch-new"),
    path("batches/new/<slug:name>/", new_batch.new, name="batch-ask"),
    path("batches/<uuid:batch_id>/", bulk.batch, name="batch"),
    path("batches/<uuid:batch_id>/progress/", bulk.progress, name="batch-progress"),
    path("batches/<uuid:batch_id>/approve/", bulk.approve, name="batch-approve"),
    path("batches/<uuid:batch_id>/stop/", bulk.stop, name="batch-stop"),
    path("incidents/", incidents.incidents, name="incidents"),
    path("sagas/<uuid:saga_id>/<slug:name>/", acting.act, name="act"),
    path("log/<int:entry_id>/", entries.entry, name="entry"),
    path("log/<int:entry_id>/observed/", entries.observed, name="observed"),
    path("log/<int:entry_id>/standing/", entries.saga_status, name="standing"),
    path("breakers/", machinery.breakers, name="breakers"),
    path("breakers/<str:name>/open/", machinery.open_breaker, name="breaker-open"),
    path("breakers/<str:name>/close/", machinery.close_breaker, name="breaker-close"),
    path("dead-letters/", machinery.dead_letters, name="dead-letters"),
    path("dead-letters/<slug:letter_id>/send/", machinery.send_again, name="letter-send"),
    path("dead-letters/<slug:letter_id>/discard/", machinery.discard, name="letter-discard"),
    path("findings/", findings.findings, name="findings"),
    path("findings/<int:finding_id>/", findings.finding, name="finding"),
    path("findings/<int:finding_id>/apply/", findings.apply, name="finding-apply"),
    path("findings/<int:finding_id>/accept/", findings.accept, name="finding-accept"),
]
