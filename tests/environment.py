"""The environment of a test run, set before Django reads it: names of its own, so that runs do not meet."""

import os

from deploy.isolation import isolate

isolate()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SHOP_DEBUG": "true",
    # By process: what a worker of pytest-xdist inherits are the names of the process that hands out the tests.
    "SHOP_DATABASE_PREFIX": f"run{os.getpid()}_",
    "SHOP_QUEUE_PREFIX": f"test{os.getpid()}.",
    "SHOP_DATABASE_POOL_SIZE": "4",
    "SHOP_FAULT_POINTS": "true",
    "SHOP_LOG_LEVEL": "WARNING",
}
