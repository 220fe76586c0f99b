"""The configuration for `celery flower --conf`. Tornado runs this file and takes the names that are Flower's options.

A FLOWER_… variable of the environment overrides a name in here only where this file says so.
"""

import os
import sys

from tornado.options import options

from config.env_values import flag
from deploy.flower import pages

if not (options.basic_auth or options.auth):
    sys.exit("Flower: FLOWER_BASIC_AUTH is missing (user:password); it would tell everybody everything")

read_only = flag(os.environ.get("FLOWER_READ_ONLY", "true"))
enable_events = flag(os.environ.get("FLOWER_ENABLE_EVENTS", "true"))
tasks_columns = os.environ.get("FLOWER_TASKS_COLUMNS", "name,uuid,kwargs,state,received,runtime,worker")

pages.install()
