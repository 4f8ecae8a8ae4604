"""What must have come of each message of a spool that another system has taken over."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from harness import waybill
from harness.mailbox import header
from harness.sink import Received

from .milter import BODY, BODY_LINES
from .spool import CLOSED, FAR, NEXT_HOP, SENDER, Result, hand_over, text_of

pytestmark = [pytest.mark.root, pytest.mark.compat]

OURS = pytest.mark.needs_program(*waybill.NEEDED, "libexec/flush", "libexec/proxymap")
REFUSED = r"connect to 127\.0\.0\.1\[127\.0\.0\.1\]:{}: Connection refused"


@pytest.fixture(scope="module", params=[
    pytest.param(("postfix", "postfix"), id="control"), pytest.param(("postfix", "waybill"), id="to-us", marks=OURS),
    pytest.param(("waybill", "postfix"), id="back", marks=OURS)])
def result(request: pytest.FixtureRequest) -> Iterator[Result]:
    yield hand_over(*request.param)


def relayed(result: Result, recipient: str) -> list[Received]:
    return [message for message in result.relayed if recipient in message.recipients]


def reports(result: Result, subject: str, about: str) -> list[str]:
    """What the sender got on a message."""
    return [report for report in result.bob if header(report, "Subject") == subject and f"\nSubject: {about}\n" in report]


def test_all_are_listed(result: Result) -> None:
    shown = result.ids_shown
    for name in FAR:
        if name in result.spool.ids:
            assert re.search(rf"^{result.spool.ids[name]}[*!]? ", shown, re.M), f"{name}\n{shown}"
    assert f"{result.spool.ids['held']}! " in shown
    assert re.search(REFUSED.format(NEXT_HOP) + r"\)\n *deferred@far\.example\n", shown)


@pytest.mark.parametrize("name", FAR)
def test_relayed_once_and_whole(result: Result, name: str) -> None:
    (message,) = relayed(result, f"{name}@far.example")
    assert message.sender == ("<>" if name == "null" else SENDER) or (name == "null" and message.sender == "")
    assert message.recipients == [f"{name}@far.example"]
    if name == "eight":
        assert message.text.endswith("\n\nthe whole of eight: ö\n")
    else:
        assert header(message.text, "Subject") == name and message.text.endswith("\n\n" + text_of(name).split("\n\n")[1])


def test_nobody_else_gets_anything(result: Result) -> None:
    wanted = {*(f"{name}@far.example" for name in FAR), "slow@slow.example"}
    if result.spool.milter:
        wanted |= {"milter@far.example", "added@far.example"}
    assert sorted(recipient for message in result.relayed for recipient in message.recipients) == sorted(wanted)


def test_what_had_been_delivered_is_not_delivered_again(result: Result) -> None:
    assert [header(message, "Subject") for message in result.alice] == ["partly", "cut", "drop"]


def test_held_stays_held_until_it_is_released(result: Result) -> None:
    assert result.still_held == [result.spool.ids["held"]]


def test_too_old(result: Result) -> None:
    """Tried once more, then returned."""
    (report,) = reports(result, "Undelivered Mail Returned to Sender", "old")
    assert re.search(rf"qmgr\[\d+\]: {result.spool.ids['old']}: from=<{SENDER}>, status=expired, returned to sender", result.log)
    assert "Status: 4.4.1\n" in report and re.search(rf"127\.0\.0\.1\[127\.0\.0\.1\]:{CLOSED}: Connection\s+refused", report)


def test_forced_to_expire(result: Result) -> None:
    """Returned without another attempt, with the reason that the first system wrote down."""
    (report,) = reports(result, "Undelivered Mail Returned to Sender", "forced")
    assert re.search(rf"qmgr\[\d+\]: {result.spool.ids['forced']}: from=<{SENDER}>, status=force-expired, returned to sender", result.log)
    assert "Final-Recipient: rfc822; forced@closed.example\n" in report and re.search(r"Connection\s+refused", report)


def test_a_relayed_notice(result: Result) -> None:
    (report,) = reports(result, "Successful Mail Delivery Report", "dsn")
    assert "Original-Envelope-Id: envelope-1\n" in report and "Action: relayed\n" in report


def test_reports_that_were_owed_when_the_first_one_died(result: Result) -> None:
    """One recipient had it, one did not exist, one was being delivered to."""
    (message,) = relayed(result, "slow@slow.example")
    assert message.text.endswith("the whole of cut\n")
    (bounce,) = reports(result, "Undelivered Mail Returned to Sender", "cut")
    assert "Final-Recipient: rfc822; nosuch@test.invalid\n" in bounce and "unknown user" in bounce and "slow@slow.example" not in bounce
    (success,) = reports(result, "Successful Mail Delivery Report", "cut")
    assert "Final-Recipient: rfc822; alice@test.invalid\n" in success and "Final-Recipient: rfc822; slow@slow.example\n" in success


def test_no_other_reports(result: Result) -> None:
    assert len(result.bob) == 5


def test_edited_by_a_milter(result: Result) -> None:
    """Its queue file is full of pointers.  Ours asks no milters yet."""
    if not result.spool.milter:
        assert not relayed(result, "milter@far.example")
        return
    (message,) = relayed(result, "milter@far.example")
    assert message.sender == "changed@test.invalid" and sorted(message.recipients) == ["added@far.example", "milter@far.example"]
    head, body = message.text.split("\n\n", 1)
    assert head.startswith("X-First: before all others\n") and head.endswith("\nX-Added: at the end")
    assert header(message.text, "Subject") == "changed by a milter, and made much longer than it was before"
    assert header(message.text, "X-Stays") == "as it is" and header(message.text, "X-Delete") is None
    assert body == "".join(BODY.format(line) for line in range(BODY_LINES)).replace("\r\n", "\n")


def test_what_was_never_finished_is_left_alone(result: Result) -> None:
    half = {path.name for path in result.spool.half_written}
    assert len(half) == 2
    assert set(result.left["incoming"]) | set(result.left["maildrop"]) == half
    assert not any(name in line for name in half for line in result.log.splitlines())


def test_nothing_else_is_left(result: Result) -> None:
    assert result.left["corrupt"] == ["0DAMAGED1"]
    assert not [name for name, files in result.left.items() if files and name not in ("corrupt", "incoming", "maildrop")], result.left


def test_no_complaints(result: Result) -> None:
    bad = [line for line in result.log.splitlines() if re.search(r"warning|error:|fatal|panic", line) and "damaged message: corrupt/0DAMAGED1" not in line]
    assert not bad, "\n".join(bad)
