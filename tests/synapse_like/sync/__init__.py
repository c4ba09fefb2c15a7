"""Tests of /sync."""
