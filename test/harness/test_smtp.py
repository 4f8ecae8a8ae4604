"""Reading transcripts."""

from __future__ import annotations

import pytest

from harness.smtp import parse, wildcard


def test_transcript() -> None:
    script = parse("x", "# One\n# two.\nmain.cf: a = b\nneeds: root\ndiffers: postfix says it otherwise\n\nS: 220 *\nC| a\\r\\n\nC:\n")
    assert (script.about, script.main, script.needs, script.left_out) == ("One two.", ["a = b"], {"root"}, {"postfix": "says it otherwise"})
    assert [(step.kind, step.text) for step in script.steps] == [("S", "220 *"), ("C|", "a\\r\\n"), ("C", "")]


@pytest.mark.parametrize("line", ["X: 1", "hello", "S 220", "queues: empty"])
def test_bad_lines(line: str) -> None:
    with pytest.raises(ValueError, match="x: line 1"):
        parse("x", line)


@pytest.mark.parametrize(("pattern", "text", "fits"), [
    ("250 2.1.0 Ok", "250 2.1.0 Ok", True), ("250 *", "250 anything", True), ("250 *", "250", False), ("2.0", "2x0", False), ("a*c", "abbc", True), ("a*c", "abcd", False),
])
def test_wildcard(pattern: str, text: str, fits: bool) -> None:
    assert bool(wildcard(pattern).match(text)) == fits
