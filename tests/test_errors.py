"""Errors say what was wrong, in words of a length that a person reads."""

from __future__ import annotations

import pickle

import pytest

from eegflex.errors import ChannelError, EegflexError, HypnogramError, shorten


def test_an_error_says_what_was_seen_and_allowed():
    error = ChannelError("No such channel", seen="C9", allowed=["C3", "C4"], remedy="Name one of these")
    assert str(error) == "No such channel. Got C9. Allowed: C3, C4. Name one of these."
    assert str(ChannelError("No such channel", allowed=[])) == "No such channel. Allowed: none."


@pytest.mark.parametrize("where", ["what", "seen", "allowed", "remedy"])
def test_no_error_is_longer_than_a_page(where):
    said = {"what": "Wrong", where: "x" * 10_000_000}
    error = HypnogramError(**said)
    assert len(str(error)) < 2000
    assert str(error).startswith("Wrong" if where != "what" else "xxx")
    assert "..." in str(error)
    assert getattr(error, where) == said[where]  # whole, for who asks
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_lists_are_cut_and_counted():
    error = EegflexError("Wrong", seen=[f"label {n}" for n in range(100_000)], allowed=["y" * 5000, "z"])
    assert "label 255 and 99744 more." in str(error)
    assert str(error).endswith("yyy..., z.")
    assert len(str(EegflexError("Wrong", seen={"y" * 5000 + str(n) for n in range(1000)}))) < 30_000
    # a montage of 89 signals is named whole
    assert "more" not in str(EegflexError("Wrong", allowed=[f"EEG {n}" for n in range(89)]))


def test_a_terminal_obeys_no_text_of_a_file():
    told = str(HypnogramError("Wrong", seen="\x1b[2J\x07évil\x00\n", allowed=["a\x9bb"]))
    assert "\x1b" not in told
    assert not set(told) & set("\x07\x00\x9b")
    assert "évil" in told
    assert shorten("N2\tN3\n", 10) == "N2\tN3\n"
    assert shorten("x" * 11, 10) == "xxxxxxx..."
