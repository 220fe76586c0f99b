"""What operators do to sagas: looked at before, done once, written down, and followed up."""
