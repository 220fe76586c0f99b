"""The process as a Django app: commands that cross services, and checks of the whole."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "config"
