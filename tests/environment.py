"""The environment of a test run, set before Django reads it: names of its own, so that runs do not meet."""

import os
import sys

from deploy.isolation import isolate

RUN = "shop" if os.environ.get("SCREENSHOTS") else f"test{os.getpid()}"
"""What queues, breakers and workers are named after; pictures for documents show a shop's names."""

isolate()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SHOP_DEBUG": "true",
    # By process: what a worker of pytest-xdist inherits are the names of the process that hands out the tests.
    "SHOP_DATABASE_PREFIX": f"run{os.getpid()}_",
    "SHOP_QUEUE_PREFIX": f"{RUN}.",
    "SHOP_DATABASE_POOL_SIZE": "4",
    "SHOP_FAULT_POINTS": "true",
    "SHOP_LOG_LEVEL": "WARNING",
}
# Keep compiled modules, whatever the machine says: each of some hundred processes of a run starts in two thirds of the
# time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
