"""The admin's pages of one order, and of the changes that staff make to it."""
