"""The values of the environment, read once."""

import sys

from config import env

try:
    VALUES = env.read()
except env.BadSetting as error:
    sys.exit(f"setting {error}")
