"""From the outside world to the log."""
