"""Schemathesis against the specification's OpenAPI, over the real server process; not part of the test run."""
