"""The protocol of a saga, decided by pure functions: no ORM, clock, broker or framework."""
