"""Chance: the only source of random strings and numbers. Passed in, so that tests can replace it.

Two kinds: :meth:`Randomness.random_string` for whatever must not be guessed (tokens, ids), and
:meth:`Randomness.jitter` for spreading retries.
"""

import random
import secrets
import string
from collections.abc import Sequence

LETTERS_AND_DIGITS = string.ascii_letters + string.digits


class Randomness:
    """Random values from the operating system's secure source."""

    def random_string(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """Return an unguessable string; 22 letters and digits hold 130 bits."""
        return "".join(secrets.choice(alphabet) for _ in range(length))

    def random_bytes(self, length: int) -> bytes:
        """Return unguessable bytes."""
        return secrets.token_bytes(length)

    def random_below(self, limit: int) -> int:
        """Return a whole number from 0 up to but not including ``limit``."""
        return secrets.randbelow(limit)

    def jitter(self, seconds: float, part: float = 0.2) -> float:
        """Return ``seconds`` moved by up to ``part`` of itself either way. Not for secrets."""
        return seconds * random.uniform(1 - part, 1 + part)


class RepeatableRandomness(Randomness):
    """The same values at every run with the same seed, for tests and benchmarks; nothing in it is secret."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def random_string(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """Return a string that looks random."""
        return "".join(self._choices(alphabet, length))

    def random_bytes(self, length: int) -> bytes:
        """Return bytes that look random."""
        return self._random.randbytes(length)

    def random_below(self, limit: int) -> int:
        """Return a number that looks random."""
        return self._random.randrange(limit)

    def jitter(self, seconds: float, part: float = 0.2) -> float:
        """Return a spread that looks random."""
        return seconds * self._random.uniform(1 - part, 1 + part)

    def _choices(self, alphabet: Sequence[str], length: int) -> list[str]:
        return self._random.choices(alphabet, k=length)
