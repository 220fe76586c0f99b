"""What the shop tells machines about itself: metrics, traces, logs, and whether it is ready."""
