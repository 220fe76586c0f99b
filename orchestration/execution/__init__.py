"""How a worker carries out messages: in batches, by a bounded number of threads."""
