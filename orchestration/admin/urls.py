"""Addresses of operators' pages, beside those of the admin's tables."""

from django.urls import path

from orchestration.admin import acting, entries

app_name = "operations"

urlpatterns = [
    path("sagas/<uuid:saga_id>/<slug:name>/", acting.act, name="act"),
    path("log/<int:entry_id>/", entries.entry, name="entry"),
    path("log/<int:entry_id>/observed/", entries.observed, name="observed"),
    path("log/<int:entry_id>/standing/", entries.standing, name="standing"),
]
