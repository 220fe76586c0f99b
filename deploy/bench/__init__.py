"""How fast orders are placed, and what one costs."""
