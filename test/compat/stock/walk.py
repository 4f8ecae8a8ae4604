"""What a site does on its first day with the configuration that Debian made, and what can be seen of it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from harness.dns import name_server
from harness.installed import Installed
from harness.neighbour import FAR, NEAR, Neighbour
from harness.sink import Received, sink
from harness.smtp import Client
from harness.system import HOSTNAME

from . import debian

ZONE = [
    "far.example. 60 MX 10 smtp.far.example.", f"smtp.far.example. 60 A {FAR}",
    "25.2.0.192.in-addr.arpa. 60 PTR smtp.far.example.", f"{HOSTNAME}. 60 A {NEAR}",
]


NOT_IN_CHROOT = {"qmgr", "proxymap", "local", "virtual"}


@dataclass
class Day:
    files: dict[str, str] = field(default_factory=dict)
    start: str = ""
    ehlo: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    """Of SMTP sessions: from this machine, and from the neighbour."""
    mailboxes: dict[str, list[str]] = field(default_factory=dict)
    relayed: list[Received] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    """Program to the root folder of its processes."""
    problems: list[str] = field(default_factory=list)
    """Lines that warn."""


def letter(subject: str) -> str:
    return f"Subject: {subject}\n\ntext of {subject}\n"


def say(client: Client, *commands: str) -> list[str]:
    """The last line of each reply, but to EHLO, without queue ids."""
    said = [client.reply(), *(reply for text in commands if (reply := client.command(text)) and not text.startswith("EHLO"))]
    return [re.sub(r"queued as \w+", "queued as ID", lines[-1]) for lines in said]


def transaction(recipient: str, subject: str) -> list[str]:
    return ["EHLO client.example", "MAIL FROM:<someone@far.example>", f"RCPT TO:<{recipient}>", "DATA",
            f"Subject: {subject}\r\n\r\ntext of {subject}\r\n.", "QUIT"]


def refused(recipient: str) -> list[str]:
    return [*transaction(recipient, "")[:3], "QUIT"]


def roots(system: Installed) -> dict[str, str]:
    """When those that have just been started are where they belong; else as it is after a while."""
    until = time.monotonic() + 10
    while True:
        found = roots_now(system)
        if time.monotonic() > until or all(root != "/" or program in NOT_IN_CHROOT for program, root in found.items()):
            return found


def roots_now(system: Installed) -> dict[str, str]:
    master = system.master_pid()
    script = "\n".join(f"echo {process.argv.split()[0]} $(readlink /proc/{process.pid}/root)" for process in system.processes() if process.parent == master)
    found: dict[str, str] = {}
    for line in system.run(["sh", "-c", script]).stdout.splitlines():
        program, _, root = line.partition(" ")
        if root:
            found[program] = root
    return found


def local_mail(system: Installed, day: Day, kind: str) -> None:
    # A satellite leaves addresses without a domain, which are of the site, to the site's server: also root's alias.
    here = "@localhost" if kind == "satellite" else ""
    system.send(f"alice{here}", text=letter("from bob"), user="bob")
    system.wait_mailbox("alice", 1)
    system.send(f"root{here}", text=letter("for root"))
    system.log.wait(r"orig_to=<root(@localhost)?>.* status=sent")
    client = Client(system.connect())
    day.replies += say(client, *transaction(f"bob+box@{HOSTNAME}", "by SMTP"))
    client.close()
    client = Client(system.connect())
    client.reply()
    day.ehlo = client.command("EHLO client.example")
    client.close()
    system.wait_mailbox("bob", 1)


def from_outside(neighbour: Neighbour, day: Day) -> None:
    for commands in (transaction("alice@test.invalid", "from outside"), refused("other@elsewhere.example"), refused("nosuch@test.invalid")):
        try:
            client = Client(neighbour.connect())
        except OSError as problem:
            day.replies.append(type(problem).__name__)
            return
        day.replies += say(client, *commands)
        client.close()


def outgoing(system: Installed, day: Day) -> None:
    system.send("friend@far.example", text=letter("to a friend"), user="carol")
    system.log.wait(r"to=<friend@far\.example>.* status=")


def walk(system: Installed, kind: str) -> Day:
    day = Day()
    system.resolver("127.0.0.1")
    with name_server(system, ZONE):
        neighbour = Neighbour(system)
        debian.configure(system, kind)
        day.files = {name: system.room.path(name).read_text() for name in ("/etc/postfix/main.cf", "/etc/postfix/master.cf", "/etc/aliases")}
        with sink(neighbour, 25, address=FAR) as far:
            day.start = debian.start(system)
            local_mail(system, day, kind)
            from_outside(neighbour, day)
            outgoing(system, day)
            day.roots = roots(system)
            system.wait_queue()
            day.relayed = list(far.messages)
            system.stop()
    day.mailboxes = {user: system.mailbox(user) for user in ("alice", "bob", "carol")}
    day.problems = [str(line) for line in system.log.lines() if re.match(r"(warning|error|fatal|panic):", line.text)]
    return day
