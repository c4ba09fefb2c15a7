"""``python -m workers routes``: routing tables for the proxy in front, derived from endpoints and kinds.

`flows` says which requests are treated alike, `patterns` how their paths are recognised, `upstreams` where processes
are. There is one renderer a file: `haproxy`, `nginx`, `envoy`, `table`. A proxy's routes are for speed alone: any
process answers any path.
"""
