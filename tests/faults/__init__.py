"""Faults under load: nothing is lost, nothing is answered wrongly."""
