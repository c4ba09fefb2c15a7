"""The server's own page at `/`."""

from html import escape
from typing import Any

from synapse_like.toolkit.http.endpoint import Auth, endpoint
from synapse_like.toolkit.http.reply import Reply, html
from synapse_like.toolkit.http.request import Request

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>It works</title>
<style>
body {{ font: 17px/1.6 system-ui, sans-serif; color: #1c2430; background: #f4f6f8; margin: 0 }}
main {{ max-width: 36em; margin: 12vh auto; padding: 2.5em; background: #fff; border-radius: 14px;
        box-shadow: 0 2px 18px rgba(28, 36, 48, .08) }}
h1 {{ font-size: 1.6em; margin: 0 0 .5em }}
code {{ background: #eef1f4; padding: .15em .4em; border-radius: 5px }}
.dot {{ display: inline-block; width: .6em; height: .6em; border-radius: 50%; background: #1f9d63; margin-right: .4em }}
footer {{ color: #6a7686; font-size: .85em; margin-top: 2em }}
</style>
</head>
<body><main>
<h1><span class="dot"></span>It works</h1>
<p>This is the Matrix homeserver <strong>{name}</strong>. It is running and ready for clients.</p>
<p>To chat, open a Matrix client such as Element, choose <em>another homeserver</em>, and enter the address of this
page. Your user id will look like <code>@you:{name}</code>.</p>
<footer>synapse-like {version}</footer>
</main></body>
</html>
"""


class PagesApi:
    """The pages."""

    def __init__(self, server_name: str, version: str) -> None:
        self._page = _PAGE.format(name=escape(server_name), version=escape(version))

    @endpoint("GET", "/", "/_matrix/static/", auth=Auth.NONE, resource="static")
    async def page(self, request: Request[Any]) -> Reply:
        """The page that says that the server works."""
        return html(self._page)
