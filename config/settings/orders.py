"""What the shop promises its customers after an order is placed."""

from datetime import timedelta

from config.settings._values import VALUES

# The parcel of a requested return must be received within this time: longer than most shops' 14 to 28 days for sending.
RETURN_PERIOD = timedelta(days=VALUES["RETURN_DAYS"])
