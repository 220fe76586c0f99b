"""The Django app of the project; it holds the management commands."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "config"
