"""The process as a Django app: its commands."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "config"
