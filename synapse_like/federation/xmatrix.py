"""The ``X-Matrix`` scheme of the Authorization header: what is signed of a request, writing the header and reading it.

Source: server-server API, "Request Authentication".
"""

import re
from dataclasses import dataclass
from typing import Final

import orjson

from synapse_like.matrix.errors import Unauthorized

LONGEST_HEADER: Final = 4096
_PARAMETER: Final = re.compile(
    r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))\s*(,|$)""", re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class XMatrix:
    """One header: by whom, for whom, and one signature."""

    origin: str
    key_id: str
    signature: str
    destination: str | None = None

    def to_header(self) -> str:
        """The header's value."""
        return (
            f'X-Matrix origin="{self.origin}",destination="{self.destination}",'
            f'key="{self.key_id}",sig="{self.signature}"'
        )

    @classmethod
    def of(cls, header: str) -> "XMatrix":
        """Read a header's value. Raises Unauthorized.

        Values may stand in quotes or not, names are of any case, and what is not known is passed over.
        """
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() != "x-matrix" or len(header) > LONGEST_HEADER:
            raise Unauthorized("The Authorization header is not of the form: X-Matrix origin=...,key=...,sig=...")
        found = _parameters(rest)
        try:
            return cls(found["origin"], found["key"], found["sig"], found.get("destination"))
        except KeyError as error:
            raise Unauthorized(f"The Authorization header lacks {error.args[0]}") from None


def signed_request(method: str, target: str, origin: str, destination: str, body: bytes | None) -> bytes:
    """What is signed of a request: canonical JSON, made around a body that is canonical JSON already."""
    content = b"" if body is None else b'"content":' + body + b","
    return b'{%b"destination":%b,"method":%b,"origin":%b,"uri":%b}' % (
        content,
        orjson.dumps(destination),
        orjson.dumps(method),
        orjson.dumps(origin),
        orjson.dumps(target),
    )


def _parameters(text: str) -> dict[str, str]:
    """Return the parameters of a header, names in lower case. Raises Unauthorized, also for one that is there twice."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise Unauthorized("The Authorization header cannot be read")
        quoted = match[2]
        found[match[1].lower()] = match[3] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        at = match.end()
    return found
