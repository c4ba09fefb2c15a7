"""The tests: they mirror the three packages; rules about the code itself are in ``house``, tools in ``kit``."""
