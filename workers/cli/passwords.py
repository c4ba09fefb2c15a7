"""``synapse-like hash-password``, and asking for a password on the terminal."""

import argparse
import getpass
import sys
from dataclasses import dataclass

from synapse_like.toolkit.config import Secret, load, option
from synapse_like.toolkit.passwords import DEFAULT_ROUNDS, hash_password


@dataclass(frozen=True)
class _PasswordConfig:
    pepper: Secret | None = option(None, "")


@dataclass(frozen=True)
class _HashSection:
    password_config: _PasswordConfig = option(_PasswordConfig(), "")
    bcrypt_rounds: int = option(DEFAULT_ROUNDS, "")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``hash-password``."""
    command = commands.add_parser(
        "hash-password",
        help="print the hash of a password",
        description="Print the hash under which the server stores a password.",
    )
    command.add_argument("-c", "--config", action="append", metavar="FILE", help="for its pepper and bcrypt_rounds")
    command.add_argument("-p", "--password", help="asked for if not given; `-` reads one line of standard input")
    command.add_argument("-r", "--rounds", type=int, help=f"bcrypt's work factor (default: {DEFAULT_ROUNDS})")
    command.set_defaults(run=_hash)


def ask_for_password(given: str | None) -> str:
    """Return the password given on the command line, from standard input, or typed twice. Raises OSError."""
    password = given
    if given == "-" or (given is None and not sys.stdin.isatty()):
        password = sys.stdin.readline().rstrip("\n")
    elif given is None:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise OSError("the two passwords differ")
    if not password:
        raise OSError("the password is empty")
    return password


def _hash(chosen: argparse.Namespace) -> int:
    section = load(chosen.config, [_HashSection])[_HashSection] if chosen.config else _HashSection()
    pepper = section.password_config.pepper
    rounds = chosen.rounds if chosen.rounds is not None else section.bcrypt_rounds
    if not 4 <= rounds <= 31:
        raise OSError("bcrypt's rounds are between 4 and 31")
    print(hash_password(ask_for_password(chosen.password), pepper.value if pepper else "", rounds))
    return 0
