"""Sends the message of each case through a system and collects what comes of it: notices, in all mailboxes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.installed import Installed
from harness.mailbox import header
from harness.sink import sink

NEXT_HOP, REFUSING, GREYLISTING, DEAD = 2600, 2601, 2602, 2699

MAIN = (
    "mail_name = Postfix", "recipient_delimiter = +", "mydestination = $myhostname, localhost",
    "transport_maps = inline:{ {far.test = smtp:[127.0.0.1]:2600}, {refusing.test = smtp:[127.0.0.1]:2601}, {dead.test = smtp:[127.0.0.1]:2699},"
    " {error.test = error:5.1.2 no such place}, {later.test = retry:4.3.0 not today}, {void.test = discard:} }",
    "virtual_alias_maps = inline:{ {one@list.test = bob@mx.test.invalid}, {many@list.test = bob@mx.test.invalid carol@mx.test.invalid x@far.test},"
    " {mixed@list.test = bob@mx.test.invalid nosuch@mx.test.invalid} }",
    "virtual_alias_domains = list.test",
    "bounce_template_file = /etc/postfix/bounce.cf",
    "bounce_notice_recipient = carol+bounce", "2bounce_notice_recipient = carol+2bounce", "delay_notice_recipient = carol+delay", "error_notice_recipient = carol+error",
)

# The built-in texts are each system's own.
TEMPLATES = "".join(f"""{kind}_template = <<EOF
Charset: us-ascii
From: MAILER-DAEMON (Mail Delivery System)
Subject: {subject}
{postmaster}
This is $myhostname, about {kind} after $delay_warning_time_seconds seconds or $maximal_queue_lifetime_days days.
$$5 for postmaster@$mydomain.
EOF
""" for kind, subject, postmaster in (("failure", "Failed", "Postmaster-Subject: Copy of Failed\n"), ("delay", "Delayed", "Postmaster-Subject: Copy of Delayed\n"),
                                     ("success", "Done", ""), ("verify", "Looked at", "")))


@dataclass(frozen=True)
class Case:
    recipients: Sequence[str]
    options: Sequence[str] = ()
    """Of sendmail(1)."""
    text: str = "Subject: hello\n\nthe text\n"
    sender: str | None = "alice@mx.test.invalid"
    waits: int = 0
    """Messages that stay in the queue; they are removed then."""
    rises: str = ""
    """The host that was dead comes back, with this reply to RCPT, and the messages are tried again."""


@dataclass
class Seen:
    """Of one case: the messages by mailbox, the envelopes at the next hop, and what the log says."""

    mail: dict[str, list[str]] = field(default_factory=dict)
    relayed: list[tuple[str, list[str]]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def masked(text: str) -> str:
    text = re.sub(r"\b[0-9A-F]{9,13}\.\d{10}/", "ID.TIME/", text)
    text = re.sub(r"\b\w{3},  ?\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000 \(UTC\)", "DATE", text)
    text = re.sub(r"<\d{14}\.[0-9A-F]{9,13}@", "<TIME.ID@", text)
    text = re.sub(r"^From (\S+)  \w{3} \w{3} .*$", r"From \1  DATE", text, flags=re.M)
    text = re.sub(r"\b[0-9A-F]{10,13}\b", "ID", text)
    text = re.sub(r"Ok: \d+ kept", "Ok: N kept", text)
    return re.sub(r"conn_use=\d+, |delays?=[\d./]+, ", "", text)


def _in_order(notice: str) -> str:
    """Recipients are reported in the order in which they were tried, which is chance: paragraphs sorted in each part but the
    last."""
    found = re.search(r'^\tboundary="(.*)"$', notice, re.M)
    if not found:
        return notice
    head, *parts = notice.split(f"\n--{found[1]}")
    parts[:-2] = ["\n" + "\n\n".join(sorted(paragraph.strip("\n") for paragraph in part.split("\n\n"))) for part in parts[:-2]]
    return f"\n--{found[1]}".join([head, *parts])


def _key(message: str) -> tuple[str, str]:
    return (header(message, "To") or "", _in_order(masked(message)))


def _events(system: Installed) -> list[str]:
    """What the log says of delivery and notices, sorted: which process is first is chance, and how often one tries."""
    return sorted({masked(f"{line.program}: {line.text}") for line in system.log.lines()
                   if re.search(r"notification: |status=|warning: (?!.*(clock|hurts performance))|not sending", line.text)})


def _made(system: Installed) -> set[str]:
    return {found[1] for found in system.log.find(r"cleanup\[\d+\]: (\w+): (resent-)?message-id=")}


def _settle(system: Installed, waits: int) -> None:
    """Waits until of all messages that the log tells of WAITS are left.  A notice is logged before its cause is gone: so it is
    enough to look at the log again after the files, and what was logged until then is in it when a line of our own is."""
    until = time.monotonic() + 20
    while True:
        made = _made(system)
        left = {path.name for files in system.queue().values() for path in files} & made
        if made and len(left) == waits:
            mark = f"mark {time.monotonic_ns()}"
            system.run(["logger", "-p", "mail.info", "-t", "test/mark[1]", mark])
            system.log.wait(mark)
            if _made(system) == made:
                break
        assert time.monotonic() < until, f"{left} are not gone\n{system.log.text()}"
        time.sleep(0.02)
    system.wait_queue({"deferred": waits})


def run(system: Installed, cases: Mapping[str, Case]) -> dict[str, Seen]:
    seen: dict[str, Seen] = {}
    system.room.write("/etc/postfix/bounce.cf", TEMPLATES)
    system.room.write("/etc/postfix/checks", "/^X-Refuse:/ REJECT not that\n")
    system.start()
    with sink(system, NEXT_HOP) as next_hop, sink(system, REFUSING, {"RCPT": "550-5.7.1 we do not like that address,\r\n550 5.7.1 nor will we ever like it, whatever is tried from wherever you are"}):
        before = {user: 0 for user in ("alice", "bob", "carol")}
        for name, case in cases.items():
            system.log.mark()
            sender = [] if case.sender is None else ["-f", case.sender]
            system.run(["sendmail", "-i", *sender, *case.options, *case.recipients], input=case.text.encode("utf-8", "surrogateescape"))
            _settle(system, case.waits)
            if case.rises:
                with sink(system, DEAD, {} if case.rises == "250" else {"RCPT": case.rises}):
                    system.run(["postqueue", "-f"])
                    _settle(system, 0)
            elif case.waits:
                system.run(["postsuper", "-d", "ALL", "deferred"])
            boxes = {user: system.mailbox(user) for user in before}
            seen[name] = Seen({user: [text for _, text in sorted(map(_key, box[before[user]:]))] for user, box in boxes.items() if len(box) > before[user]},
                              sorted((one.sender, one.recipients) for one in next_hop.messages), _events(system))
            next_hop.messages.clear()
            before = {user: len(box) for user, box in boxes.items()}
    return seen
