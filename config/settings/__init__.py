"""Settings, one file per subject; every value comes from here or from `config/env.py`."""

from config.settings.admin import *
from config.settings.apps import *
from config.settings.broker import *
from config.settings.databases import *
from config.settings.http import *
from config.settings.logs import *
from config.settings.orders import *
from config.settings.sagas import *
from config.settings.telemetry import *
