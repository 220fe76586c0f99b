"""What must hold across services, one group a file."""
