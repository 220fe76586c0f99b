"""The shop over HTTP: checkouts, orders and their changes, products."""
