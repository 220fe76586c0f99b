"""The admin pages where operators see and change sagas."""

from django.contrib import admin

from orchestration.admin import sagas, tables

__all__ = ["sagas", "tables"]

admin.site.index_title = "Dashboard"
