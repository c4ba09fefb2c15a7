"""Tools that know no room: database, HTTP, cache, clock, configuration, jobs, logs, metrics.

Rules of the Matrix protocol live in ``synapse_like.matrix``, not here.
"""
