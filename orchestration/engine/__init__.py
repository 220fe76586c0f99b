"""The orchestrator's shell around the protocol: rows, dispatch, reports, recovery."""
