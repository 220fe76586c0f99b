"""What runs the shop on a machine: servers, supervisor, demonstration and container files."""
