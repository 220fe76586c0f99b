"""Times in UTC and to the second: a log that says "9:01 a.m." twice does not say what came first."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
