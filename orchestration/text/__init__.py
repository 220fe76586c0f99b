"""Pure functions for text: cleaning, card numbers, formatting."""
