"""Pure tools for text: cleaning, card numbers, formatting."""
