"""The sample firm: an invented bakery, its reviews and what the local press says of it."""
