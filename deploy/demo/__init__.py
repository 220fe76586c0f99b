"""The demonstration: the whole shop on one bare machine, a few hundred orders, and a report of their outcomes."""
