"""What a client is told that has not proven enough yet."""

from collections.abc import Mapping, Sequence
from typing import Any

from synapse_like.matrix.errors import BadRequest, MatrixError, Unauthorized


class AuthenticationNeeded(Unauthorized):
    """More stages are needed. The body names the flows; it has an errcode only if a stage has just failed."""

    def __init__(
        self,
        session_id: str,
        flows: Sequence[Sequence[str]],
        params: Mapping[str, Any],
        completed: Sequence[str],
        failure: MatrixError | None = None,
    ) -> None:
        super().__init__(failure.message if failure else "More proof is needed")
        self._answer: dict[str, Any] = {
            **(failure.body() if failure else {}),
            "session": session_id,
            "flows": [{"stages": list(flow)} for flow in flows],
            "params": dict(params),
            "completed": list(completed),
        }

    def body(self) -> dict[str, Any]:
        """The answer as the specification draws it."""
        return self._answer


class UnknownSession(BadRequest):
    """The session of a user-interactive authentication is not known, or too old."""

    default_message = "This session of the authentication is not known"
