"""Other ways to place the same order, measured on the same servers as this shop."""
