"""What is counted about jobs: how often each ran and for how long, and how often it failed."""

from typing import Final

from synapse_like.toolkit.metrics.declaring import counter, histogram

_JOB: Final = {"job": "the jobs in the code"}

SECONDS: Final = histogram(
    "job_seconds", "How long the runs of jobs took.", _JOB, (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
)
FAILURES: Final = counter("job_failures", "Runs of jobs that failed; they are made again at their time.", _JOB)

METRICS: Final = (SECONDS, FAILURES)
