"""Sends the message of every case through a system and notes what its SMTP client logged and said."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.dns import name_server
from harness.system import System

from .peer import Peer, Script


@dataclass(frozen=True)
class Case:
    """A message to RECIPIENTS at a domain of its own.

    DNS are zone lines in which @ is that domain and $1, $2 ... addresses of its own ("@ !servfail", "@ MX !silent":
    an answer gone wrong, see harness/dns.py); PEERS says what listens there.
    NEXTHOP, when given, is where the mail goes instead of "@"; PORT 0 makes the peers listen on UNIX sockets "peer-$N" in the
    queue directory, which NEXTHOP names as $U."""

    name: str
    dns: Sequence[str] = ("@ MX 10 a.@", "a.@ A $1")
    peers: Mapping[int, Script] = field(default_factory=lambda: {1: Script()})
    nexthop: str = ""
    agent: str = "smtp"
    port: int = 25
    recipients: Sequence[str] = ("bob",)
    sender: str = "alice@mx.test.invalid"
    text: str = "Subject: test\n\nbody\n"
    options: Sequence[str] = ()
    by_smtp: bool = False
    """Handed in by a client on the network."""
    free: str = ""
    """An expression for what may differ, and why it may."""


@dataclass
class Seen:
    log: list[str]
    said: dict[int, list[list[str]]]


@dataclass
class Run:
    cases: list[Seen]
    rest: list[str]
    """What the client logged that belongs to no case, in any order."""


MAIN = (
    "inet_interfaces = 127.0.0.1", "inet_protocols = all", "smtp_helo_timeout = 2", "smtp_mail_timeout = 2", "smtp_rcpt_timeout = 2",
    "smtp_data_init_timeout = 2", "smtp_data_xfer_timeout = 2", "smtp_data_done_timeout = 2", "smtp_connect_timeout = 3",
    "smtp_host_lookup = dns", *(f"lmtp_{step}_timeout = 2" for step in ("lhlo", "mail", "rcpt", "data_init", "data_xfer", "data_done", "quit", "rset")),
    "smtp_rset_timeout = 2", "message_size_limit = 20000000", "mail_name = Postfix", "disable_dns_lookups = no",
)


OTHER = ("127.9.9.9", 2500)


def domain(number: int) -> str:
    return f"c{number}.test"


def address(number: int, which: int) -> str:
    """The sixth is an IPv6 address."""
    return f"127.{1 + number // 250}.{number % 250}.{which}" if which < 6 else f"fd00::{number}:{which - 5}"


def fill(text: str, number: int) -> str:
    text = re.sub(r"\$(\d)", lambda found: address(number, int(found[1])), text).replace("$U", f"peer-{number}")
    return text.replace("@", domain(number))


SEARCHED = "s.test"
"""The domain of resolv.conf's search list."""


def zone(cases: Sequence[Case]) -> list[str]:
    lines = [f"short.{SEARCHED}. 60 A {OTHER[0]}", f"a.longer.{SEARCHED}. 60 A {OTHER[0]}"]
    for number, case in enumerate(cases, 1):
        for line in case.dns:
            if "!" in line:
                continue
            name, kind, data = fill(line, number).split(" ", 2)
            if kind in ("MX", "CNAME"):
                data = data if data.endswith(".") else data + "."
            lines.append(f"{name}. 60 {kind} {data}")
    return lines


def odd_answers(cases: Sequence[Case]) -> dict[str, str]:
    odd = {}
    for number, case in enumerate(cases, 1):
        for line in case.dns:
            if "!" in line:
                question, how = fill(line, number).split(" !")
                name, _, kind = question.partition(" ")
                odd[f"{name}. {kind}".rstrip()] = how
    return odd


ID = re.compile(r"[0-9A-F]{9,12}: ")


def common(text: str, ids: bool = True) -> str:
    """Without what is another in each run; and without the end of a line that was cut at 2000 bytes, delays and all."""
    text = re.sub(r"\b[0-9A-F]{9,12}\b", "ID", text) if ids else text
    text = re.sub(r"delay=[\d.]+, delays=[\d./]+", lambda found: "delay=N, delays=" + "/".join("N" for _ in found[0].split("/")), text)
    text = re.sub(r"<\d{14}\.ID@", "<TIME.ID@", text)
    text = re.sub(r"\w{3},? +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)", "DATE", text)
    return text[:1850] if len(text) > 1850 else text


GOODBYE_SECONDS = 8
"""What is said after the last delivery is logged, QUIT at the latest when a kept connection is too old, comes within this."""


def hand_in(system: System, number: int, case: Case) -> None:
    recipients = [f"{who}@{domain(number)}" for who in case.recipients]
    content = case.text.encode("utf-8", "surrogateescape")
    if not case.by_smtp:
        system.run(["sendmail", "-i", *case.options, "-f", case.sender, *recipients], input=content)
        return
    with contextlib.closing(system.connect()) as link, link.makefile("rwb") as stream:
        for line in (b"", b"EHLO client.test", f"MAIL FROM:<{case.sender}>".encode(), *(f"RCPT TO:<{one}>".encode() for one in recipients), b"DATA",
                     content.replace(b"\n", b"\r\n") + b".", b"QUIT"):
            stream.write(line + b"\r\n" if line else b"")
            stream.flush()
            while stream.readline()[3:4] == b"-":
                pass


def run(system: System, cases: Sequence[Case], main: Sequence[str] = ()) -> Run:
    """MAIN changes the configuration; what it sends to OTHER gets there."""
    nexthops = " ".join(f"{{{domain(n)} = {case.agent}:{fill(case.nexthop, n)}}}" for n, case in enumerate(cases, 1) if case.nexthop)
    system.configure([*MAIN, f"transport_maps = inline:{{ {nexthops} }}" if nexthops else "transport_maps =", *main])
    system.resolver("127.0.0.1")  # type: ignore[attr-defined]
    system.room.shell(f"echo search {SEARCHED} >>/etc/resolv.conf")  # type: ignore[attr-defined]
    # Not the machine's own, which may give localhost two families.
    system.room.write("/etc/hosts", "127.0.0.1 localhost\n")  # type: ignore[attr-defined]
    batch = "".join(f"addr add fd00::{number}:1/128 dev lo\n" for number in range(1, len(cases) + 1))
    system.run(["ip", "-6", "-batch", "-"], input=batch)
    with name_server(system, zone(cases), odd_answers(cases)):
        system.start()
        peers = {(n, which): Peer(system, address(n, which) if case.port else str(system.spool / f"peer-{n}"), case.port, script)
                 for n, case in enumerate(cases, 1) for which, script in case.peers.items() if script.listens}
        other = Peer(system, *OTHER, Script())
        try:
            for number, case in enumerate(cases, 1):
                hand_in(system, number, case)
            wait(system, cases)
            hung_up = time.monotonic() + GOODBYE_SECONDS
            for peer in (*peers.values(), other):
                peer.wait_hung_up(hung_up - time.monotonic())
            seen, claimed, lines = [], set[int](), client_lines(system)
            for number in range(1, len(cases) + 1):
                own = own_lines(lines, number)
                claimed |= own.keys()
                seen.append(Seen(list(own.values()), {}))
            for (number, which), peer in peers.items():
                seen[number - 1].said[which] = [[common(line) for line in session] for session in peer.sessions]
            return Run(seen, [common(text) for at, text in lines.items() if at not in claimed])
        finally:
            for peer in (*peers.values(), other):
                peer.close()


def client_lines(system: System) -> dict[int, str]:
    """By their place in the log."""
    return {at: common(line.text, ids=False) for at, line in enumerate(system.log.lines()) if line.program in ("smtp", "lmtp")}


def own_lines(lines: Mapping[int, str], number: int) -> dict[int, str]:
    mine = re.compile(rf"{re.escape(domain(number))}\b|\b{re.escape(address(number, 1)[:-1])}\d|fd00::{number}:1|\bpeer-{number}\b")
    ids = {text.split(":")[0] for text in lines.values() if ID.match(text) and mine.search(text)}
    return {at: common(text) for at, text in lines.items() if mine.search(text) or text.split(":")[0] in ids}


def wait(system: System, cases: Sequence[Case]) -> None:
    """Until each has as many ends as recipients, or none will come any more."""
    until, pending = time.monotonic() + 30, dict(enumerate(cases, 1))
    while pending and time.monotonic() < until:
        lines = client_lines(system)
        pending = {n: case for n, case in pending.items() if sum(" status=" in text for text in own_lines(lines, n).values()) < len(case.recipients)}
        time.sleep(0.5)  # to look takes a while, too
