"""The environment of a test run, set before Django reads it: names of its own, so that runs do not meet."""

import os

os.environ.setdefault("SHOP_DEBUG", "true")
os.environ.setdefault("SHOP_DATABASE_PREFIX", f"run{os.getpid()}_")
os.environ.setdefault("SHOP_QUEUE_PREFIX", f"test{os.getpid()}.")
os.environ.setdefault("SHOP_DATABASE_POOL_SIZE", "4")
os.environ.setdefault("SHOP_FAULT_POINTS", "true")
os.environ.setdefault("SHOP_LOG_LEVEL", "WARNING")
