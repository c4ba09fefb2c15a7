"""The protocol: identifiers, errors, canonical JSON, events, signatures, authorization rules, state resolution.

Everything here is pure: no I/O, no clock, no randomness, no Twisted, no logging, no await. Import the modules by name.
"""
