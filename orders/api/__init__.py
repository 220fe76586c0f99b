"""The shop over HTTP: checkouts, orders, products."""
