"""From the log to conclusions: pure functions and models, with the store and the worker at the edge."""
