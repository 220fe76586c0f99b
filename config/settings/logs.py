"""Logging: one line for each event, with the saga's id if there is one."""

from config.settings._values import VALUES

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"sagas": {"()": "orchestration.telemetry.logs.AddSagas"}},
    "formatters": {
        "line": {"()": "orchestration.telemetry.logs.LineFormatter"},
        "json": {"()": "orchestration.telemetry.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": VALUES["LOG_FORMAT"], "filters": ["sagas"]},
    },
    "root": {"handlers": ["stderr"], "level": VALUES["LOG_LEVEL"]},
}
