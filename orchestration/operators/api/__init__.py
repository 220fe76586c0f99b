"""What staff see of sagas and do to them, over HTTP."""
