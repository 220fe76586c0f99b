"""Other ways to place the same order, on the same servers, measured beside this shop's."""
