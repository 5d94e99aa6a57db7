"""Speed, as ratios measured in one run: `make bench` writes the tables that docs/benchmarks.md sums up. Never a timed test."""
