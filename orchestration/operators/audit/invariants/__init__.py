"""The invariants that hold across services, one module for each group."""
