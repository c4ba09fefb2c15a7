"""People who talk on, whatever happens to their server."""

import threading
from http.client import HTTPException
from itertools import count

from tests.kit.client import Client, try_send

PAUSE_SECONDS = 0.02


class Talker:
    """Sends numbered messages until told to stop, each until its server takes it; ``said`` holds what was taken."""

    def __init__(self, client: Client, room_id: str) -> None:
        self.said: set[str] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._talk, args=(client, room_id), daemon=True)
        self._thread.start()

    def stop(self) -> set[str]:
        """Say nothing more; what was said."""
        self._is_over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.said

    def _talk(self, client: Client, room_id: str) -> None:
        for number in count():
            if self._is_over.wait(PAUSE_SECONDS):  # about as fast as people in a lively room
                return
            text = f"{client.user_id} {number}"
            while not self._is_taken(client, room_id, text):
                if self._is_over.wait(0.1):
                    return
            self.said.add(text)

    def _is_taken(self, client: Client, room_id: str, text: str) -> bool:
        try:
            return try_send(client, room_id, text, text)[0] == 200
        except (OSError, HTTPException):
            return False
