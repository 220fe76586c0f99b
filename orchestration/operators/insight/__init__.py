"""What operators read: how sagas stand, why one does not move, and what the whole machine is doing."""
