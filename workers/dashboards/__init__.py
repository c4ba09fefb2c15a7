"""What administrators load into Prometheus and Grafana, derived from what the code declares: folder ``grafana/``.

`declared` is every metric, by subject; `panels` and `rules` say what to look at and when to wake somebody; `grafana`,
`prometheus` and `documents` write the files; `command` is ``python -m workers dashboard``.
"""
