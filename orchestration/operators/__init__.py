"""What the people who run it read and do: insight, audits, actions, retention, and their HTTP."""
