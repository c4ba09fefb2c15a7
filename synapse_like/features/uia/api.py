"""The fallback pages of stages."""

from typing import Any

from synapse_like.features.uia import pages
from synapse_like.features.uia.logic import Uia
from synapse_like.features.uia.stages import AuthStage
from synapse_like.matrix.errors import InvalidParam, NotFound
from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.query import Query
from synapse_like.toolkit.http.reply import Reply, html
from synapse_like.toolkit.http.request import Request

_PATHS = client("/auth/{stage}/fallback/web")
_NO_FRAMES = (("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"))


class FallbackApi:
    """The pages."""

    def __init__(self, uia: Uia) -> None:
        self._uia = uia

    @endpoint("GET", _PATHS, auth=Auth.NONE)
    async def show(self, request: Request[Any]) -> Reply:
        """The page of a stage."""
        stage = self._stage(request)
        attempt = await self._uia.find(request.query.string("session"))
        page = pages.done() if stage.name in attempt.completed else pages.form(attempt.session_id, stage.fields)
        return _page(page)

    @endpoint("POST", _PATHS, auth=Auth.NONE, limit_bytes=16 * 1024)
    async def submit(self, request: Request[Any]) -> Reply:
        """What the page submits."""
        stage = self._stage(request)
        try:
            fields = Query(request.raw_body.decode("utf-8"))
        except UnicodeDecodeError:
            raise InvalidParam("The form is not valid UTF-8") from None
        attempt = await self._uia.find(fields.get("session") or request.query.string("session"))
        auth = {each.name: fields.get(each.name) for each in stage.fields}
        failure = await self._uia.submit(attempt, {**auth, "type": stage.name})
        if failure is None:
            return _page(pages.done())
        return _page(pages.form(attempt.session_id, stage.fields, failure.message), failure.status)

    def _stage(self, request: Request[Any]) -> AuthStage:
        stage = self._uia.stage(request.params["stage"])
        if stage is None:
            raise NotFound("There is no page for this kind of authentication")
        return stage


def _page(text: str, status: int = 200) -> Reply:
    reply = html(text, status)
    for name, value in _NO_FRAMES:
        reply.add_header(name, value)
    return reply
