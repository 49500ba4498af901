"""Training: what the worker does for one job."""
