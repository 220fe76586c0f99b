"""The kit that services use: ledger, local and external steps, breakers, reconciliation."""
