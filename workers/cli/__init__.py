"""The command line: ``synapse-like`` and ``python -m synapse_like``; it begins in ``commands``.

No command touches the database of a running server: they talk to the server.
"""
