"""Tests of the replication library."""
