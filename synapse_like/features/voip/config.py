"""The keys of TURN servers."""

from collections.abc import Iterator
from dataclasses import dataclass

from synapse_like.toolkit.config import Duration, Secret, option


@dataclass(frozen=True)
class VoipConfig:
    """TURN servers, over which calls go that find no direct way."""

    turn_uris: tuple[str, ...] = option((), "Addresses of TURN servers, turn:turn.example.com:3478?transport=udp")
    turn_shared_secret: Secret | None = option(None, "The secret that is shared with the TURN server.")
    turn_username: str | None = option(None, "A fixed user name, for TURN servers without a shared secret.")
    turn_password: Secret | None = option(None, "The password of that user name.")
    turn_user_lifetime: Duration = option(Duration.of("1h"), "How long credentials made with the secret are valid.")
    turn_allow_guests: bool = option(True, "Whether guests may use the TURN servers.")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what does not go together."""
        for uri in self.turn_uris:
            if not uri.startswith(("turn:", "turns:", "stun:", "stuns:")):
                yield "turn_uris", f"must begin with turn: or turns:, not {uri!r}"
        if self.turn_username and not self.turn_password:
            yield "turn_password", "must be set if turn_username is"
