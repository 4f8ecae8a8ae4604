"""Plays every case's dialogue with an SMTP server of its own and notes what it said, logged and asked.

Debian's smtpd and ours stand side by side in one room, as services of the same settings, on the same other daemons.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness import paths
from harness.dns import name_server
from harness.installed import DAEMONS
from harness.oracle import Postfix
from harness.smtp import Client
from harness.system import System

from .server import Asked, PolicyServer

VENDORS = {"debian": ("smtpd", 3000), "ours": ("smtpd-ours", 4000)}
"""Program, and the port of case 0."""
HELO, SENDER, RECIPIENT = "client.test", "alice@sender.test", "bob@test.invalid"


@dataclass(frozen=True)
class Case:
    """SETTINGS are those of this case's server; it is called SAYS line by line (by default a greeting, a sender, a
    recipient and the end) from the address CLIENT.  "<another>" is another connection, which what follows is said on; with
    QUIT it is the former one's turn again."""

    name: str
    settings: Sequence[str] = ()
    says: Sequence[str] | None = None
    helo: str = HELO
    sender: str = SENDER
    recipient: str = RECIPIENT
    client: str = "127.0.0.9"
    free: str = ""
    """An expression for what may differ, and why it may."""

    def lines(self) -> Sequence[str]:
        if self.says is not None:
            return self.says
        return (f"EHLO {self.helo}", f"MAIL FROM:<{self.sender}>", f"RCPT TO:<{self.recipient}>", "QUIT")


@dataclass
class Seen:
    said: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    """Of the policy server."""


MAIN = (
    "mydestination = $myhostname, localhost, test.invalid", "local_recipient_maps =", "mynetworks = 127.0.0.1/32", "relay_domains = relay.test", "inet_interfaces = 127.0.0.1",
    "smtpd_error_sleep_time = 0", "smtpd_policy_service_retry_delay = 1", "mail_name = Postfix",
    "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination",
)


def rows(number: int, case: Case) -> list[str]:
    return [
        f"127.0.0.1:{port + number} inet n - n - - {program} " + " ".join(
            f"-o {{ {setting} }}" for setting in (f"syslog_name = postfix/{vendor}{number}", *case.settings)).replace("$CASE", f"{vendor}{number}")
        for vendor, (program, port) in VENDORS.items()
    ]


def common(text: str, number: int, vendor: str) -> str:
    """Without what is another in each run, or for the other vendor."""
    text = re.sub(r"^(client_port|server_port)=\d+$", r"\1=PORT", text)
    text = re.sub(r"\b[0-9A-F]{9,12}\b", "ID", text)
    text = re.sub(r"(\w\[127\.[\d.]+\]):\d+", r"\1:PORT", text)
    return text.replace(f"{vendor}{number}", f"c{number}").replace(f":{VENDORS[vendor][1] + number}", ":PORT").replace("smtpd-ours", "smtpd")


def message_number(attribute: str, messages: list[str]) -> str:
    """Each message has an instance of its own, and keeps it."""
    if not re.fullmatch(r"instance=[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+", attribute):
        return attribute
    if attribute not in messages:
        messages.append(attribute)
    return f"instance={messages.index(attribute)}"


def shown(line: str, reply: list[str]) -> str:
    if not reply:
        return "<closed>"
    return reply[0] if line.startswith("EHLO") else " | ".join(reply)


def play(system: System, port: int, case: Case) -> list[str]:
    clients: list[Client] = []
    said: list[str] = []

    def connect() -> list[str]:
        with system.network():
            clients.append(Client(socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(case.client, 0))))
        return clients[-1].reply()

    try:
        said += connect() or ["<closed>"]
        for line in case.lines():
            if line == "<another>":
                said += connect() or ["<closed>"]
                continue
            reply = clients[-1].command(line)
            said.append(shown(line, reply))
            if (line == "QUIT" or not reply) and len(clients) > 1:
                clients.pop().close()
            elif not reply:
                break
        return said
    except TimeoutError:
        return [*said, "<silence>"]
    finally:
        for client in clients:
            client.close()


def run(cases: Sequence[Case], zone: Sequence[str], odd: Mapping[str, str], main: Sequence[str] = (),
        vendors: Sequence[str] = tuple(VENDORS), swapped: Sequence[str] = (), more: Sequence[str] = (), gone: Sequence[str] = ()) -> dict[str, list[Seen]]:
    """SWAPPED are further programs of ours in the system; MORE are further rows of its master.cf; GONE are sockets that are removed."""
    with contextlib.ExitStack() as until_then:
        system = until_then.enter_context(Postfix(swapped={name: paths.our_program(name) for name in swapped}))
        system.room.run(["install", "-m", "755", paths.our_program("smtpd"), f"{DAEMONS}/{VENDORS['ours'][0]}"])
        system.configure([*MAIN, *main], [*(row for number, case in enumerate(cases) for row in rows(number, case)), *more])
        system.resolver("127.0.0.1")
        system.room.write("/etc/hosts", "127.0.0.1 localhost\n")
        until_then.enter_context(name_server(system, zone, odd))
        policy = until_then.enter_context(PolicyServer(system))
        system.start()
        for name in gone:
            (system.spool / name).unlink()
        plays = [(vendor, number) for number in range(len(cases)) for vendor in vendors]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            said = list(pool.map(lambda key: play(system, VENDORS[key[0]][1] + key[1], cases[key[1]]), plays))
        seen = {key: Seen(replies, [], policy.asked.get("".join(map(str, key)), [])) for key, replies in zip(plays, said)}
        ends = {f"postfix/{vendor}{number}" for vendor, number in plays if seen[vendor, number].said[-1:] != ["<silence>"]}
        system.log.wait_for_all(lambda lines: ends - {line.tag.rpartition("/")[0] for line in lines if line.text.startswith(("disconnect from", "fatal"))})
        for line in system.log.lines():
            if (found := re.match(r"postfix/([a-z]+)(\d+)/smtpd", line.tag)) and (found[1], int(found[2])) in seen:
                seen[found[1], int(found[2])].log.append(common(line.text, int(found[2]), found[1]))
        for (vendor, number), one in seen.items():
            one.said = [common(line, number, vendor) for line in one.said]
            messages: list[str] = []
            one.asked = [[message_number(common(line, number, vendor), messages) for line in request] for request in one.asked]
        return {vendor: [seen[vendor, number] for number in range(len(cases))] for vendor in vendors}
