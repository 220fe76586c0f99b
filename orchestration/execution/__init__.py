"""Runs messages in a worker: batches, a scheduler with few threads, a pool for external calls."""
