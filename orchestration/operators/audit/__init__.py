"""The audit that runs by itself: its runs, what they find, and repairs that a person applies."""
