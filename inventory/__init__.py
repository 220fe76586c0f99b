"""The inventory service: holds units of stock for orders, and releases them."""
