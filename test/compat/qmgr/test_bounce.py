"""Reports on mail: who gets them, and what is in them."""

from __future__ import annotations

import email
import email.message

import pytest

from harness.mailbox import header
from harness.oracle import Postfix
from harness.sink import sink

from .conftest import Maker

pytestmark = [pytest.mark.root, pytest.mark.compat]

SENDER = "alice@mx.test.invalid"
TO_BOB = "virtual_alias_maps = inline:{ {postmaster@mx.test.invalid = bob@mx.test.invalid}, {postmaster = bob@mx.test.invalid} }"
NEXT_HOP = 2600
RELAY = f"relayhost = [127.0.0.1]:{NEXT_HOP}"


def parts(text: str) -> tuple[email.message.Message, list[email.message.Message]]:
    """The report and its parts; the From_ line of the mailbox is left out."""
    report = email.message_from_string(text.split("\n", 1)[1])
    assert report.get_content_type() == "multipart/report" and report.get_param("report-type") == "delivery-status"
    payload = report.get_payload()
    assert isinstance(payload, list)
    return report, payload


def fields(part: email.message.Message) -> list[email.message.Message]:
    payload = part.get_payload()
    assert part.get_content_type() == "message/delivery-status" and isinstance(payload, list)
    return payload


def test_a_non_delivery_report(swapped: Maker) -> None:
    system = swapped("bounce", [])
    system.run(["sendmail", "-i", "-f", SENDER, "-V", "env+1", "nosuch"], input="Subject: hello\n\nthe text\n")
    report, (notice, status, original) = parts(system.wait_mailbox("alice")[0])
    system.wait_queue()
    assert report["From"] == "Mail Delivery System <MAILER-DAEMON@mx.test.invalid>"
    assert report["Subject"] == "Undelivered Mail Returned to Sender"
    assert report["To"] == SENDER and report["Auto-Submitted"] == "auto-replied" and report["Return-Path"] == "<>"
    text = notice.get_payload()
    assert '\n<nosuch@mx.test.invalid> (expanded from <nosuch>): unknown user: "nosuch"\n' in text
    assert "mx.test.invalid" in text and notice["Content-Description"] == "Notification"
    message, recipient = fields(status)
    assert message["Reporting-MTA"] == "dns; mx.test.invalid" and message["Original-Envelope-Id"] == "env+1"
    assert message["X-Postfix-Sender"] == f"rfc822; {SENDER}" and message["Arrival-Date"]
    assert message["X-Postfix-Queue-ID"] == system.log.wait(r"bounce\[\d+\]: (\w+): sender non-delivery notification: \w+")[0][1]
    assert dict(recipient.items()) == {
        "Final-Recipient": "rfc822; nosuch@mx.test.invalid",
        "Original-Recipient": "rfc822;nosuch@mx.test.invalid",
        "Action": "failed",
        "Status": "5.1.1",
        "Diagnostic-Code": 'X-Postfix; unknown user: "nosuch"',
    }
    assert original.get_content_type() == "message/rfc822" and original["Content-Description"] == "Undelivered Message"
    assert "Subject: hello\n" in str(original) and "\n\nthe text\n" in str(original) and f"Return-Path: <{SENDER}>" in str(original)
    assert not list(system.spool.glob("bounce/*"))


@pytest.mark.parametrize(("options", "text", "type_"), [
    pytest.param(["-R", "hdrs"], "Subject: a\n\nthe text\n", "text/rfc822-headers", id="headers"),
    pytest.param(["-R", "full"], "Subject: a\n\nthe text\n", "message/rfc822", id="all"),
    pytest.param([], "Subject: a\n\n" + "the text\n" * 1000, "text/rfc822-headers", id="too-large"),
])
def test_how_much_of_the_original_comes_back(swapped: Maker, options: list[str], text: str, type_: str) -> None:
    system = swapped("bounce", ["bounce_size_limit = 2000"])
    system.run(["sendmail", "-i", "-f", SENDER, *options, "nosuch"], input=text)
    _, (_, _, original) = parts(system.wait_mailbox("alice")[0])
    assert original.get_content_type() == type_
    assert ("the text" in str(original)) == (type_ == "message/rfc822")
    assert original["Content-Description"] == "Undelivered Message" + ("" if type_ == "message/rfc822" else " Headers")


def test_recipients_that_want_no_report(swapped: Maker) -> None:
    system = swapped("bounce", [])
    system.run(["sendmail", "-i", "-f", SENDER, "-N", "never", "nosuch"], input="x\n")
    system.run(["sendmail", "-i", "-f", SENDER, "-N", "success", "nosuch"], input="x\n")
    system.log.wait(r"status=bounced", count=2)
    system.wait_queue()
    assert not system.mailbox("alice") and not system.log.find(r"notification: \w")


def test_a_message_without_sender(swapped: Maker) -> None:
    system = swapped("bounce", ["notify_classes = 2bounce", TO_BOB])
    system.send("nosuch", sender="", text="Subject: from nowhere\n\nthe text\n")
    report, (_, status, original) = parts(system.wait_mailbox("bob")[0])
    assert report["Return-Path"] == "<double-bounce@mx.test.invalid>"
    assert report["Subject"] == "Postmaster Copy: Undelivered Mail" and report["Auto-Submitted"] == "auto-generated"
    assert fields(status)[0]["X-Postfix-Sender"] == "rfc822; MAILER-DAEMON@mx.test.invalid"
    assert "the text" in str(original)
    system.log.wait(r"bounce\[\d+\]: \w+: postmaster non-delivery notification: \w+")
    system.wait_queue()


def test_a_message_without_sender_that_nobody_wants_to_know_of(swapped: Maker) -> None:
    system = swapped("bounce", [])
    system.send("nosuch", sender="")
    system.log.wait(r"qmgr\[\d+\]: \w+: removed")
    system.wait_queue()
    assert not system.log.find(r"notification: \w")


def test_the_end_of_the_chain(swapped: Maker) -> None:
    system = swapped("bounce", ["notify_classes = bounce, 2bounce"])
    system.send("nosuch", sender="double-bounce@mx.test.invalid")
    system.log.wait(r"bounce\[\d+\]: warning: \w+: undeliverable postmaster notification discarded")
    system.wait_queue()


def test_copies_for_the_postmaster(swapped: Maker) -> None:
    system = swapped("bounce", ["notify_classes = bounce", TO_BOB])
    system.send("nosuch", sender=SENDER, text="Subject: a\n\nthe text\n")
    system.wait_mailbox("alice")
    report, (notice, _, original) = parts(system.wait_mailbox("bob")[0])
    assert report["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert notice.get_payload().strip().startswith("<nosuch@mx.test.invalid>")
    assert original.get_content_type() == "text/rfc822-headers" and "the text" not in str(original)


def test_what_the_next_hop_said(swapped: Maker) -> None:
    system = swapped("bounce", [RELAY])
    with sink(system, NEXT_HOP, {"RCPT": "550 5.7.1 we do not like that address, nor will we ever like it, whatever is tried"}):
        system.send("x@far.example", sender=SENDER)
        _, (notice, status, _) = parts(system.wait_mailbox("alice")[0])
    recipient = fields(status)[1]
    assert recipient["Status"] == "5.7.1" and recipient["Remote-MTA"] == "dns; 127.0.0.1"
    assert "\n<x@far.example>: host 127.0.0.1[127.0.0.1] said: 550 5.7.1 we do not like that\n    address, nor" in notice.get_payload()
    assert max(len(line) for line in str(status).splitlines()) <= 79


def test_a_delay_warning(swapped: Maker) -> None:
    system = swapped("bounce", [RELAY, "delay_warning_time = 2s", "minimal_backoff_time = 3s", "maximal_backoff_time = 3s", "queue_run_delay = 3s"])
    system.send("x@far.example", sender=SENDER)
    report, (_, status, original) = parts(system.wait_mailbox("alice", timeout=30)[0])
    assert report["Subject"] == "Delayed Mail (still being retried)"
    recipient = fields(status)[1]
    assert recipient["Action"] == "delayed" and recipient["Status"] == "4.4.1" and recipient["Will-Retry-Until"]
    assert original.get_content_type() == "text/rfc822-headers"
    system.log.wait(r"bounce\[\d+\]: \w+: sender delay notification: \w+")
    system.log.wait(r"status=deferred", count=4, timeout=30)
    assert len(system.mailbox("alice")) == 1


@pytest.mark.parametrize(("option", "subject", "action"), [
    pytest.param(["-N", "success"], "Successful Mail Delivery Report", "delivered", id="success"),
    pytest.param(["-v"], "Mail Delivery Status Report", "delivered", id="verbose"),
    pytest.param(["-bv"], "Mail Delivery Status Report", "deliverable", id="probe"),
])
def test_good_news(swapped: Maker, option: list[str], subject: str, action: str) -> None:
    system = swapped("bounce", [])
    system.run(["sendmail", "-i", "-f", SENDER, *option, "bob"], input="Subject: a\n\nb\n")
    report, (_, status, _) = parts(system.wait_mailbox("alice")[0])
    assert report["Subject"] == subject and fields(status)[1]["Action"] == action
    system.log.wait(r"bounce\[\d+\]: \w+: sender delivery status notification: \w+")
    system.wait_queue()
    assert not list(system.spool.glob("trace/*"))


def test_one_report_for_each_recipient(swapped: Maker) -> None:
    system = swapped("bounce", [RELAY, "recipient_delimiter = +"])
    with sink(system, NEXT_HOP, {"RCPT": "550 5.7.1 no"}):
        system.run(["sendmail", "-i", "-f", SENDER, "-XV", "x@far.example", "y@far.example"], input="Subject: a\n\nb\n")
        reports = system.wait_mailbox("alice", 2)
    assert {header(report, "To") for report in reports} == {"alice+x=far.example@mx.test.invalid", "alice+y=far.example@mx.test.invalid"}
    assert all(len(fields(parts(report)[1][1])) == 2 for report in reports)
    system.wait_queue()


def test_expired_recipients_are_marked(swapped: Maker) -> None:
    """The file is gone at once, so what is seen is that nothing is tried again, and the log is gone too."""
    system = swapped("bounce", [RELAY, "maximal_queue_lifetime = 1s", "minimal_backoff_time = 2s", "maximal_backoff_time = 2s", "queue_run_delay = 2s"])
    system.send("x@far.example", "y@far.example", sender=SENDER)
    _, (_, status, _) = parts(system.wait_mailbox("alice", timeout=30)[0])
    assert [one["Action"] for one in fields(status)[1:]] == ["failed", "failed"]
    assert [one["Status"] for one in fields(status)[1:]] == ["4.4.1", "4.4.1"]
    system.wait_queue()
    assert not list(system.spool.glob("defer/*/*"))


def test_own_words(swapped: Maker) -> None:
    system: Postfix = swapped("bounce", ["bounce_template_file = /etc/postfix/bounce.cf"])
    system.room.write("/etc/postfix/bounce.cf", "failure_template = <<END\nFrom: Daemon <MAILER-DAEMON>\nSubject: Oh dear\n\nOn $myhostname for $$5.\nEND\n")
    system.send("nosuch", sender=SENDER)
    report, (notice, _, _) = parts(system.wait_mailbox("alice")[0])
    assert report["Subject"] == "Oh dear" and report["From"] == "Daemon <MAILER-DAEMON@mx.test.invalid>"
    assert notice.get_payload().startswith("On mx.test.invalid for $5.\n")


def test_bad_words(swapped: Maker) -> None:
    """What is wrong with one template is no reason to do without the others."""
    system: Postfix = swapped("bounce", ["bounce_template_file = /etc/postfix/bounce.cf"])
    system.room.write("/etc/postfix/bounce.cf", "success_template = <<EOF\nSubject: Hooray\nPostmaster-Subject: x\n\nDone.\nEOF\n"
                      "failure_template = <<END\nSubject: Oh dear\n\nAfter ${maximal_queue_lifetime_weeks} weeks.\nEND\n")
    system.send("nosuch", sender=SENDER)
    report, (notice, _, _) = parts(system.wait_mailbox("alice")[0])
    assert report["Subject"] == "Oh dear" and notice.get_payload().startswith("After 0 weeks.\n")
    system.run(["sendmail", "-i", "-f", SENDER, "-N", "success", "bob"], input="x\n")
    report, _ = parts(system.wait_mailbox("alice", 2)[1])
    assert report["Subject"] == "Successful Mail Delivery Report"
    file = "/etc/postfix/bounce.cf"
    for text in (f'{file}: inapplicable "Postmaster-Subject" header label in success template -- ignoring this template',
                 f'{file}: zero result in failure template conversion of parameter "maximal_queue_lifetime_weeks"',
                 'please reduce time unit "weeks" of "maximal_queue_lifetime_weeks" in failure template', "for instructions see the bounce\\(5\\) manual"):
        system.log.wait(rf"bounce\[\d+\]: warning: {text}$")
