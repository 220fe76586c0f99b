"""The environment of a test run, set before Django reads it: names of its own, so that runs do not meet."""

import os

NAMES = {"SHOP_DATABASE_PREFIX": f"run{os.getpid()}_", "SHOP_QUEUE_PREFIX": f"test{os.getpid()}."}

os.environ.setdefault("SHOP_DEBUG", "true")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(NAMES)  # what it inherits are the names of the process that hands out the tests
else:
    for name, value in NAMES.items():
        os.environ.setdefault(name, value)
os.environ.setdefault("SHOP_DATABASE_POOL_SIZE", "4")
os.environ.setdefault("SHOP_FAULT_POINTS", "true")
os.environ.setdefault("SHOP_LOG_LEVEL", "WARNING")
