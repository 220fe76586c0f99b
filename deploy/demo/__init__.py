"""The demonstration: the whole shop on a bare machine, a few hundred orders, and what became of them."""
