"""synapse-like: a Matrix homeserver.

The version lives here; everything else in the packages below.
"""

__version__ = "0.1.0"
