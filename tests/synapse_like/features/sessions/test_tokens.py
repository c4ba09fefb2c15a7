"""The form of tokens: made, changed, made up."""

from hypothesis import given
from hypothesis import strategies as st

from synapse_like.features.sessions.tokens import ACCESS, REFRESH, TokenMint, hash_of, may_be_token
from synapse_like.toolkit.randomness import Randomness, RepeatableRandomness

MINT = TokenMint(b"key", Randomness())


@given(st.text(), st.sampled_from([ACCESS, REFRESH]))
def test_what_is_made_may_be_a_token(user_id: str, kind: str) -> None:
    token = MINT.make(kind, user_id.encode("utf-8", "replace").decode())
    assert may_be_token(token)
    assert token.isascii()


@given(st.data())
def test_a_changed_token_is_none(data: st.DataObject) -> None:
    token = TokenMint(b"key", RepeatableRandomness(1)).make(ACCESS, "@alice:test")
    at = data.draw(st.integers(4, len(token) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefXYZ").filter(lambda letter: letter != token[at]))
    assert not may_be_token(token[:at] + other + token[at + 1 :])


@given(st.text())
def test_any_text_is_looked_at_without_harm(text: str) -> None:
    assert may_be_token(text) == (len(text) <= 1024) or text.startswith(("slt_", "slr_"))
    assert len(hash_of(text)) == 64


def test_all_tokens_of_a_user_share_a_part_that_hides_the_name() -> None:
    one, two, other = (MINT.make(ACCESS, user_id) for user_id in ("@alice:test", "@alice:test", "@bob:test"))
    assert one != two
    assert one.split("_")[1] == two.split("_")[1] != other.split("_")[1]
    assert "alice" not in one
    assert TokenMint(b"other key", Randomness()).user_part("@alice:test") != one.split("_")[1]
