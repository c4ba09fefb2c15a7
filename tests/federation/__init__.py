"""Walks with a real Synapse as the other server. What needs no partner is beside the code it tests."""
