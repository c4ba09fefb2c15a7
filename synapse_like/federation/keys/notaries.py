"""The servers of `trusted_key_servers`: asked for the keys of many servers with one request.

Source: server-server API, "Querying Keys Through Another Server".
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred

from synapse_like.federation.config import TrustedKeyServer
from synapse_like.federation.keys.documents import BadKeyDocument, ServerKey, read_document
from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.signatures import verify_json
from synapse_like.matrix.signing_keys import VerifyKey
from synapse_like.toolkit.clock import Clock

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 20.0
LIMIT_BYTES: Final = 4 * 1024 * 1024
MOST_QUESTIONS: Final = 50
"""How many keys are asked for with one request."""

MOST_DOCUMENTS: Final = 200

IsSigned = Callable[[str, Mapping[str, Any]], Awaitable[bool]]
"""Whether an object is signed by a server, whose keys are found out."""


class Poster(Protocol):
    """The part of `FederationClient` that is used here."""

    async def post(
        self, destination: str, path: str, body: Mapping[str, Any], *, timeout_s: float = 0, limit_bytes: int = 0
    ) -> Any:
        """Return the JSON that the server answers."""


@dataclass(frozen=True, slots=True)
class _Question:
    server: str
    key_id: str
    until_ms: int
    answer: "Deferred[list[ServerKey]]"


class Notaries:
    """Gathers the questions of one turn of the reactor and asks them together."""

    def __init__(self, trusted: Sequence[TrustedKeyServer], client: Poster, clock: Clock) -> None:
        self._trusted = tuple(trusted)
        self._client = client
        self._clock = clock
        self._questions: list[_Question] = []
        self.is_signed: IsSigned = _never
        """Asked for the signatures of servers whose keys the configuration does not give; the key ring sets it."""

    async def keys_of(self, server: str, key_id: str, until_ms: int) -> list[ServerKey]:
        """Return what the trusted servers know of a server's keys; nothing if they know nothing. Raises nothing."""
        if not any(trusted.server_name != server for trusted in self._trusted):
            return []
        question = _Question(server, key_id, until_ms, Deferred())
        if not self._questions:
            self._clock.call_later(0, self._ask_all)
        self._questions.append(question)
        return await question.answer

    def _ask_all(self) -> None:
        questions, self._questions = self._questions, []
        for at in range(0, len(questions), MOST_QUESTIONS):
            Deferred.fromCoroutine(self._answer(questions[at : at + MOST_QUESTIONS]))

    async def _answer(self, questions: Sequence[_Question]) -> None:
        found: dict[str, list[ServerKey]] = {}
        for trusted in self._trusted:
            named = {key.name for keys in found.values() for key in keys}
            missing = [
                each
                for each in questions
                if (each.server, each.key_id) not in named and each.server != trusted.server_name
            ]
            try:
                for key in await self._ask(trusted, missing) if missing else ():
                    found.setdefault(key.server, []).append(key)
            except MatrixError as error:
                logger.warning("%s does not tell the keys of other servers: %s", trusted.server_name, error)
            except Exception:
                logger.exception("Failed to ask %s for the keys of other servers", trusted.server_name)
        for question in questions:
            question.answer.callback(found.get(question.server, []))

    async def _ask(self, trusted: TrustedKeyServer, questions: Sequence[_Question]) -> list[ServerKey]:
        criteria: dict[str, dict[str, Any]] = {}
        for each in questions:
            criteria.setdefault(each.server, {})[each.key_id] = {"minimum_valid_until_ts": each.until_ms}
        reply = await self._client.post(
            trusted.server_name,
            "/_matrix/key/v2/query",
            {"server_keys": criteria},
            timeout_s=TIMEOUT_S,
            limit_bytes=LIMIT_BYTES,
        )
        documents = reply.get("server_keys") if isinstance(reply, dict) else None
        if not isinstance(documents, list):
            raise BadKeyDocument(f"{trusted.server_name} did not answer with keys")
        keys: list[ServerKey] = []
        for document in documents[:MOST_DOCUMENTS]:
            keys += await self._read(document, criteria, trusted)
        return keys

    async def _read(self, document: Any, criteria: Mapping[str, Any], trusted: TrustedKeyServer) -> Sequence[ServerKey]:
        """Return the keys of a document that we asked for and that both its server and the notary have signed."""
        server = document.get("server_name") if isinstance(document, dict) else None
        if not isinstance(server, str) or server not in criteria:
            return ()
        if not await self._has_signed(trusted, document):
            logger.warning("%s did not sign the keys of %s that it told", trusted.server_name, server)
            return ()
        try:
            return read_document(document, server, self._clock.now_ms())
        except BadKeyDocument as error:
            logger.info("The keys of %s that %s told cannot be used: %s", server, trusted.server_name, error)
            return ()

    async def _has_signed(self, trusted: TrustedKeyServer, document: Mapping[str, Any]) -> bool:
        if not trusted.verify_keys:
            return await self.is_signed(trusted.server_name, document)
        return any(
            verify_json(document, trusted.server_name, VerifyKey.from_base64(key_id, text))
            for key_id, text in trusted.verify_keys.items()
        )


async def _never(server: str, document: Mapping[str, Any]) -> bool:
    return False
