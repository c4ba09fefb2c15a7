"""The Authorization header between servers: read, written, and garbled."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.federation.xmatrix import XMatrix, signed_request
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import Unauthorized
from tests.kit.pdus import safe_json, texts

FULL = XMatrix("them.example:8448", "ed25519:k_1", "c2ln+/", "us.example")

GOOD = [
    'X-Matrix origin="them.example:8448",destination="us.example",key="ed25519:k_1",sig="c2ln+/"',
    'x-MATRIX   Origin="them.example:8448" , DESTINATION="us.example",\tKey="ed25519:k_1", sig="c2ln+/"',
    "X-Matrix origin=them.example:8448,key=ed25519:k_1,sig=c2ln+/,destination=us.example",
    'X-Matrix origin="them.\\example:8448",key="ed25519:k_1",sig="c2ln+/",destination="us.example",more="a,b=\\"c",x=y',
    'X-Matrix origin="them.example:8448",key="ed25519:k_1",sig="c2ln+/",destination="us.example",',
]


@pytest.mark.parametrize("header", GOOD)
def test_forms_of_the_same(header: str) -> None:
    assert XMatrix.of(header) == FULL


def test_old_servers_name_no_destination() -> None:
    assert XMatrix.of('X-Matrix origin="a",key="k",sig="s"') == XMatrix("a", "k", "s", None)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "X-Matrix",
        "X-Matrix ",
        "Bearer abc",
        "X-Matrixorigin=a,key=k,sig=s",
        "X-Matrix origin=a,key=k",
        "X-Matrix origin=a key=k sig=s",
        "X-Matrix origin=a,origin=b,key=k,sig=s",
        "X-Matrix origin=a,Origin=b,key=k,sig=s",
        'X-Matrix origin="a,key=k,sig=s',
        'X-Matrix origin="a"b,key=k,sig=s',
        "X-Matrix origin=,key=k,sig=s",
        "X-Matrix ,origin=a,key=k,sig=s",
        "X-Matrix origin=a,key=k,sig=s,junk",
        "X-Matrix origin=a,key=k,sig=" + "s" * 5000,
    ],
)
def test_what_cannot_be_read(header: str) -> None:
    with pytest.raises(Unauthorized):
        XMatrix.of(header)


plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"\\'), max_size=30)


@given(plain, plain, plain, plain)
def test_what_is_written_is_read(origin: str, key_id: str, signature: str, destination: str) -> None:
    written = XMatrix(origin, key_id, signature, destination)
    assert XMatrix.of(written.to_header()) == written


@given(st.text(max_size=200), st.booleans())
def test_any_text(text: str, is_ours: bool) -> None:
    try:
        read = XMatrix.of("X-Matrix " + text if is_ours else text)
    except Unauthorized:
        return
    assert read.origin is not None


@given(st.lists(st.sampled_from([*'X-Matrix origin="a",key=\\s;\t', "origin=", "sig=", "key=", '"', ","]), max_size=60))
def test_any_mixture(parts: list[str]) -> None:
    try:
        XMatrix.of("X-Matrix " + "".join(parts))
    except Unauthorized:
        pass


def test_long_garbage_is_refused_at_once() -> None:
    """Nothing in a header makes reading it slow."""
    for text in ('a="' + "\\" * 4000, "a=b" * 1300, "a " * 2000, 'a="b",' * 600, " " * 4000 + "="):
        with pytest.raises(Unauthorized):
            XMatrix.of("X-Matrix " + text)


@given(texts, texts, texts, texts, st.none() | st.dictionaries(texts, safe_json))
def test_what_is_signed_is_the_canonical_json_of_the_request(
    method: str, target: str, origin: str, destination: str, body: dict[str, object] | None
) -> None:
    request = {"method": method, "uri": target, "origin": origin, "destination": destination}
    if body is not None:
        request["content"] = body  # type: ignore[assignment]
    encoded = None if body is None else canonical_json(body)
    message = signed_request(method, target, origin, destination, encoded)
    assert message == canonical_json(request)
    assert json.loads(message) == request
