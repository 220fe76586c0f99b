"""The common parts of the sandbox gateway and carrier: books, test tokens, and a client with network faults."""
