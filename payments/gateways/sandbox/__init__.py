"""A payment gateway of our own, for rehearsals: it keeps its own books and can be told to misbehave."""
