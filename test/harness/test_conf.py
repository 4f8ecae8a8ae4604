"""Editing configuration."""

from __future__ import annotations

from harness.conf import as_fifo, main_text, with_main, with_rows, without_chroot

MASTER = "# name\nsmtp inet n - y - - smtpd\n  -o a=b\npickup    unix  n - y 60 1 pickup\nsmtp unix - - y - - smtp\n"


def test_a_row_takes_the_place_of_its_namesake() -> None:
    text = with_rows(MASTER, ["smtp inet n - n - 5 smtpd", "new unix - - n - - pipe"])
    assert text == "# name\nsmtp inet n - n - 5 smtpd\npickup    unix  n - y 60 1 pickup\nsmtp unix - - y - - smtp\nnew unix - - n - - pipe\n"


def test_fifo_and_chroot() -> None:
    assert "pickup    fifo  n - n 60" in as_fifo(without_chroot(MASTER))


def test_the_last_line_counts() -> None:
    assert main_text(["a = 1", "b=2", "a = 3"]) == "a = 3\nb = 2\n"


def test_a_line_takes_the_place_of_its_namesake() -> None:
    assert with_main("# a = x\na = 1,\n  2\nb = 3\n", ["a = 4", "c = 5"]) == "# a = x\nb = 3\na = 4\nc = 5\n"
