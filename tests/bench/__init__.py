"""Benchmarks: how long things take and how much they store. What must be right is in the tests, not here."""
