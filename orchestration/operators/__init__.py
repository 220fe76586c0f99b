"""What staff read and do: insight, audit, actions, retention, and their HTTP API."""
