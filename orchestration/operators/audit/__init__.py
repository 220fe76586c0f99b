"""The periodic audit: its runs, its findings, and the repairs that operators apply."""
