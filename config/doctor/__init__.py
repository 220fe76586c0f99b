"""Everything that somebody who was woken up would look at first."""
