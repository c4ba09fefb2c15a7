"""Who runs what: the composition root, the kinds of processes, routes and the command line.

The only package that sees everything; nothing imports it but the entry points.
"""
