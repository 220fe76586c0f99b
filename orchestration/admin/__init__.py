"""What operators see and do in the admin."""

from django.contrib import admin

from orchestration.admin import sagas, tables

__all__ = ["sagas", "tables"]

admin.site.index_title = "Dashboard"
