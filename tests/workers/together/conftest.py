"""Groups of processes."""

from tests.kit.group import group

__all__ = ["group"]
