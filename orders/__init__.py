"""The orders service: prices carts, starts checkouts, and places orders, which is the pivot."""
