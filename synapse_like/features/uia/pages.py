"""Pages for clients that do not know a stage: they show the page, the user submits it, the page calls back.

Source: client-server API, "Fallback".
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from synapse_like.features.uia.stages import Field

_FRAME: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 17px/1.5 system-ui, sans-serif; color: #1c2430; background: #f4f6f8; margin: 0 }}
main {{ max-width: 24em; margin: 10vh auto; padding: 2em; background: #fff; border-radius: 14px }}
h1 {{ font-size: 1.3em; margin-top: 0 }}
label {{ display: block; margin: 1em 0 }}
input {{ display: block; box-sizing: border-box; width: 100%; font: inherit; padding: .5em; margin-top: .3em }}
button {{ font: inherit; padding: .5em 1.5em }}
.error {{ color: #a32020 }}
</style>
</head>
<body><main>
<h1>{title}</h1>
{content}
</main></body>
</html>
"""

_DONE: Final = """<p>Thank you. You may close this window and go back to your client.</p>
<script>
if (window.onAuthDone) { window.onAuthDone(); }
else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }
</script>"""


def form(session_id: str, fields: Sequence[Field], error: str = "") -> str:
    """Return the page that asks for what a stage needs."""
    parts = [f'<p class="error">{escape(error)}</p>'] if error else []
    parts.append('<form method="post">')
    parts.append(f'<input type="hidden" name="session" value="{escape(session_id)}">')
    for each in fields:
        given = f'type="{each.kind}" name="{each.name}" required autocomplete="off"'
        parts.append(f"<label>{escape(each.label)}<input {given}></label>")
    parts += ["<button>Continue</button>", "</form>"]
    return _FRAME.format(title="One more step", content="\n".join(parts))


def done() -> str:
    """Return the page that tells the client that the stage is done."""
    return _FRAME.format(title="Done", content=_DONE)
