"""Runs, measures and fills a shop: servers, demo, bench, replay. No other package imports it."""
