"""Times in UTC with seconds: a log that shows "9:01 a.m." twice does not show which entry was first."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
