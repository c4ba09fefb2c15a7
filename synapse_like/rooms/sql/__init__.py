"""The SQL of the spine: plain functions on a transaction, a file per subject."""
