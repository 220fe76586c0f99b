"""Metrics, traces and logs for machines."""
