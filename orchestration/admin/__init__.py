"""What operators see and do in the admin."""

from django.contrib import admin

from orchestration.admin.sagas import SagaAdmin

__all__ = ["SagaAdmin"]

admin.site.index_title = "Dashboard"
