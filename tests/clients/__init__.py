"""Clients that people use, against the server as a process."""
