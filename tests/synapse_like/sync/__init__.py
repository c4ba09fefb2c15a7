"""Tests of /sync: the law, and its parts one by one."""
