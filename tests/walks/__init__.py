"""Walks through the whole house: the server as a process, from a client's request to the database and back."""
