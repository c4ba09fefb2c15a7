"""Glob patterns, matched in linear time.

Here: globs for a whole value (push rules, filters, server ACLs) and globs that must lie between word boundaries (push
rules on `content.body`). Not here: what is compared with what; callers who ignore case fold both sides first.

A pattern is cut at its `*` into pieces. Every token of a piece matches exactly one character, so the leftmost place of
each piece is always the best one and no pattern makes the matcher go back.
Source: the specification's appendices, "Glob-style matching".
"""

import re
from collections.abc import Callable

TextMatcher = Callable[[str], bool]

_BEFORE_WORD = "(?<![A-Za-z0-9_])"
_AFTER_WORD = "(?![A-Za-z0-9_])"


def match_whole(pattern: str, *, question_mark: bool = True) -> TextMatcher:
    """Return a matcher that says whether `pattern` covers a whole text.

    `*` is any run of characters, `?` exactly one. With `question_mark=False` (filters) `?` means itself.
    """
    first, *others = pattern.split("*")
    if not others:
        if "?" not in pattern or not question_mark:
            return pattern.__eq__
        single = _piece(first, question_mark)
        return lambda text: single.fullmatch(text) is not None
    head = _piece(first, question_mark)
    *middle, last = others
    between = [_piece(piece, question_mark) for piece in middle if piece]
    tail, tail_length = _piece(last, question_mark), len(last)

    def matches(text: str) -> bool:
        found = head.match(text)
        position = _end_of_pieces(between, text, found.end()) if found else -1
        start = len(text) - tail_length
        return 0 <= position <= start and tail.match(text, start) is not None

    return matches


def match_words(pattern: str) -> TextMatcher:
    """Return a matcher that says whether `pattern` covers a part of a text that begins and ends at a word boundary.

    A boundary is an end of the text, or a character that is no ASCII letter, digit or underscore.
    """
    first, *others = pattern.split("*")
    if not others:
        single = _piece(first, True, before=_BEFORE_WORD, after=_AFTER_WORD)
        return lambda text: single.search(text) is not None
    head = _piece(first, True, before=_BEFORE_WORD)
    *middle, last = others
    between = [_piece(piece, True) for piece in middle if piece]
    tail = _piece(last, True, after=_AFTER_WORD)

    def matches(text: str) -> bool:
        found = head.search(text)
        position = _end_of_pieces(between, text, found.end()) if found else -1
        return position >= 0 and tail.search(text, position) is not None

    return matches


def literal_words(text: str) -> TextMatcher:
    """Return a matcher for `text` itself, nothing in it being special, between word boundaries."""
    literal = re.compile(_BEFORE_WORD + re.escape(text) + _AFTER_WORD)
    return lambda value: literal.search(value) is not None


def _piece(piece: str, question_mark: bool, *, before: str = "", after: str = "") -> re.Pattern[str]:
    tokens = ("." if token == "?" and question_mark else re.escape(token) for token in piece)
    return re.compile(before + "".join(tokens) + after, re.DOTALL)


def _end_of_pieces(pieces: list[re.Pattern[str]], text: str, position: int) -> int:
    """Place the pieces one after the other from `position`; return where the last ends, -1 if one has no place."""
    for piece in pieces:
        found = piece.search(text, position)
        if found is None:
            return -1
        position = found.end()
    return position
