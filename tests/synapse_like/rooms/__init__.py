"""Tests of the spine: forks, merges, live rooms."""
