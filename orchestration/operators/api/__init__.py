"""The HTTP API for staff: views of sagas, and actions on them."""
