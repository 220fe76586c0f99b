"""What the HTTP resources of all services share."""
