"""How workers hear each other: streams, positions, writers, readers, calls, shards and leases, buses.

A library: it knows neither Matrix nor the database nor the reactor, only the Protocols in ``ports``.
"""
