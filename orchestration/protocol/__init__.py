"""The decisions of the protocol: pure functions without database, clock, broker or framework."""
