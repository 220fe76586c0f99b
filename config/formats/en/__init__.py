"""The one language there is."""
