"""What the sandbox gateway and the sandbox carrier have in common: books, test tokens, and a network with faults."""
