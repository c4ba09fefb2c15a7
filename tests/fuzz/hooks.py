"""What schemathesis checks besides status codes; loaded into its process by ``SCHEMATHESIS_HOOKS``."""

from typing import Any

import schemathesis


@schemathesis.check
def matrix_error(context: Any, response: Any, case: Any) -> None:
    """A refusal is a Matrix error, or asks for more in user-interactive authentication."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    body = response.json()
    is_error = str(body.get("errcode", "")).startswith("M_") and isinstance(body.get("error"), str)
    assert is_error or (response.status_code == 401 and "flows" in body), f"no Matrix error: {body}"
