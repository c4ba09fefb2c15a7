"""The rules of the house as tests. What they enforce is described in CONTRIBUTING.md."""
