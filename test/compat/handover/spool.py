"""One mail system fills a spool and dies; another one, on the same folders, does what is left to do."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import waybill
from harness.installed import DAEMONS, Installed
from harness.oracle import Postfix
from harness.sink import Received, Sink, sink
from harness.smtp import Client

from .milter import milter

KINDS: dict[str, type[Installed]] = {"postfix": Postfix, "waybill": waybill.Waybill}
NEXT_HOP, SLOW, CLOSED, MILTER, MILTER_SMTP = 2640, 2641, 2642, 2643, 2644
SENDER = "bob@test.invalid"
MAIN = (
    "mydestination = $myhostname, localhost, test.invalid", f"relayhost = [127.0.0.1]:{NEXT_HOP}", "fast_flush_domains = far.example",
    f"transport_maps = inline:{{ {{slow.example = smtp:[127.0.0.1]:{SLOW}}} {{closed.example = smtp:[127.0.0.1]:{CLOSED}}} }}", "mail_name = Postfix",
)
MILTER_ROW = f"127.0.0.1:{MILTER_SMTP} inet n - n - - smtpd -o smtpd_milters=inet:127.0.0.1:{MILTER}"
FAR = ("deferred", "partly", "held", "dsn", "eight", "long", "ready", "drop", "null")
"""Those that the second system has to relay."""
CLOSED_TO = ("old", "forced")
"""Those that nobody takes."""


def text_of(name: str) -> str:
    return f"Subject: {name}\n\nthe whole of {name}\n"


@dataclass
class Spool:
    """What the first system left."""

    ids: dict[str, str] = field(default_factory=dict)
    half_written: list[Path] = field(default_factory=list)
    """Relative to the queue directory."""
    milter: bool = False


@dataclass
class Result:
    spool: Spool
    relayed: list[Received]
    alice: list[str]
    bob: list[str]
    log: str
    ids_shown: str
    """What postqueue said before anything was tried."""
    left: dict[str, list[str]]
    """Names of what was left in the queue, and in the folders of logs."""
    still_held: list[str]


def _far(name: str) -> str:
    return f"{name}@closed.example" if name in CLOSED_TO else f"{name}@far.example"


def _deferred(system: Installed, name: str, *options: str, to: tuple[str, ...] = (), text: str = "", sender: str = SENDER) -> str:
    """Sends one that waits; returns its id."""
    address = _far(name)
    system.run(["sendmail", "-i", "-f", sender, *options, *to, address], input=text or text_of(name))
    (found,) = system.log.wait(rf"smtp\[\d+\]: (\w+): to=<{re.escape(address)}>.* status=deferred|error\[\d+\]: (\w+): to=<{re.escape(address)}>.* status=deferred")
    return found[1] or found[2]


def _half_of_a_message(system: Installed) -> Client:
    """A client that has not got to the end, and a sendmail(1) that has not either.  The client has to be kept."""
    client = Client(system.connect())
    client.reply()
    for command in ("EHLO client.example", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{_far('half')}>", "DATA"):
        assert client.command(command)[-1][0] in "23"
    client.send(b"Subject: half\r\n\r\n" + b"half of it\r\n" * 20000)
    job = system.spawn(["sendmail", "-i", "-f", SENDER, _far("half")], stdin=-1)
    assert job.stdin
    job.stdin.write(b"Subject: half\n\n" + b"half of it\n" * 20000)
    job.stdin.flush()
    until = time.monotonic() + 20
    while len(big_and_unfinished(system)) < 2:
        assert time.monotonic() < until, system.queue()
        time.sleep(0.02)
    return client


def big_and_unfinished(system: Installed) -> list[Path]:
    return [file.relative_to(system.spool) for name in ("incoming", "maildrop") for file in system.queue()[name]
            if not file.stat().st_mode & 0o100 and file.stat().st_size > 50000]


def _kill_all(system: Installed) -> None:
    """At one instant, as a machine that crashes: none has time to tidy up when another one is gone."""
    programs = f"{DAEMONS}/*|/usr/sbin/postdrop|/usr/sbin/sendmail"
    for signal in ("STOP", "KILL"):
        system.run(["sh", "-c", f"for p in /proc/[0-9]*; do case $(readlink $p/exe) in {programs}) kill -{signal} ${{p#/proc/}};; esac; done"], check=False)
    system.running = False


@contextlib.contextmanager
def _accepts_and_says_nothing(system: Installed, port: int) -> Iterator[None]:
    with system.network(), socket.create_server(("127.0.0.1", port)):
        yield


def _edited(system: Installed) -> str:
    with milter(system, MILTER):
        client = Client(system.connect(MILTER_SMTP))
        client.reply()
        for command in ("EHLO client.example", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{_far('milter')}>", f"RCPT TO:<{_far('deleted')}>", "DATA"):
            assert client.command(command)[-1][0] in "23"
        said = client.command("X-Delete: this\r\nSubject: short\r\nX-Stays: as it is\r\n\r\nthe old body\r\n.")[-1]
        client.close()
    assert said.startswith("250"), said + system.log.text()
    name = said.split()[-1]
    system.log.wait(rf"{name}: to=<{_far('added')}>.* status=deferred")
    return name


def fill(system: Installed) -> Spool:
    """Leaves a spool in which everything is there that a crash may leave."""
    spool = Spool(milter=system.name == "postfix")
    system.configure(MAIN, [MILTER_ROW] if spool.milter else [])
    system.start()
    for name, options, to, text in (
            ("deferred", (), (), ""), ("partly", (), ("alice@test.invalid",), ""), ("held", (), (), ""), ("old", (), (), ""), ("forced", (), (), ""),
            ("dsn", ("-N", "success,failure", "-V", "envelope-1", "-R", "hdrs"), (), ""), ("null", (), (), ""),
            ("eight", ("-B", "8BITMIME"), (), "Subject: eight\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nthe whole of eight: ö\n")):
        spool.ids[name] = _deferred(system, name, *options, to=to, text=text, sender="" if name == "null" else SENDER)
    system.run(["postsuper", "-h", spool.ids["held"]])
    if spool.milter:
        spool.ids["milter"] = _edited(system)
    system.configure(["enable_long_queue_ids = yes"])
    system.reload()
    spool.ids["long"] = _deferred(system, "long")
    (system.spool / "incoming/0DAMAGED1").write_bytes(b"garbage\n")
    system.run(["sh", "-c", "cd /var/spool/postfix/incoming; chown postfix: 0DAMAGED1; chmod 700 0DAMAGED1; postqueue -f"])
    system.log.wait("saving corrupt file \"0DAMAGED1\"")
    with _accepts_and_says_nothing(system, SLOW):
        # Of three recipients one has it, one does not exist, and one is being delivered to.
        system.run(["sendmail", "-i", "-f", SENDER, "-N", "success,failure", "alice@test.invalid", "nosuch@test.invalid", "slow@slow.example"], input=text_of("cut"))
        system.log.wait(r"to=<nosuch@test\.invalid>.* status=bounced")
        spool.ids["cut"] = system.log.wait(r"(\w+): to=<alice@test\.invalid>.* delays=.* status=sent", count=2)[-1][1]
        system.run(["kill", "-STOP", *system.children("qmgr"), *system.children("pickup")])
        system.run(["postsuper", "-e", spool.ids["forced"]])
        client = Client(system.connect())
        client.reply()
        for command in ("EHLO client.example", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{_far('ready')}>", "DATA", text_of("ready").replace("\n", "\r\n") + "."):
            assert client.command(command)[-1][0] in "23"
        system.send(_far("drop"), "alice@test.invalid", text=text_of("drop"), sender=SENDER)
        unfinished = _half_of_a_message(system)
        spool.half_written = big_and_unfinished(system)
        _kill_all(system)
        unfinished.close()
    return spool


def age(file: Path, days: int) -> None:
    """Makes a message as old as that."""
    data = file.read_bytes()
    file.write_bytes(re.sub(rb"(T.|create_time=)(\d{10})", lambda found: found[1] + b"%010d" % (int(found[2]) - days * 86400), data))


def take_over(system: Installed, first: Installed) -> None:
    """The folders of FIRST become SYSTEM's."""
    for folder, where in (("spool", "/var/spool/postfix"), ("data", "/var/lib/postfix"), ("mail", "/var/mail"), ("home", "/home")):
        system.run(["mount", "--bind", first.room.scratch / folder, where])
    system.spool = first.spool


def names_left(system: Installed) -> dict[str, list[str]]:
    logs = {name: sorted(file.name for file in (system.spool / name).rglob("*") if file.is_file()) for name in ("defer", "bounce", "trace")}
    return {name: sorted(file.name for file in files) for name, files in system.queue().items()} | logs


def hand_over(first_kind: str, second_kind: str) -> Result:
    with KINDS[first_kind]() as first:
        spool = fill(first)
        age(next(file for file in first.queue()["deferred"] if file.name == spool.ids["old"]), 6)
        with KINDS[second_kind]() as second:
            second.configure([*MAIN, "enable_long_queue_ids = yes"])
            take_over(second, first)
            with sink(second, NEXT_HOP) as next_hop, sink(second, SLOW) as slow:
                second.start()
                shown = second.run(["postqueue", "-p"]).stdout
                return empty(second, spool, shown, [next_hop, slow], first)


def empty(system: Installed, spool: Spool, shown: str, sinks: list[Sink], first: Installed) -> Result:
    _flush_until(system, lambda queue: not any(queue[name] for name in ("active", "deferred")) and _ready(queue) == {"hold", "corrupt"}, ["postqueue", "-s", "far.example"])
    held = [file.name for file in system.queue()["hold"]]
    system.run(["postsuper", "-H", "ALL"])
    _flush_until(system, lambda queue: _ready(queue) == {"corrupt"}, ["postqueue", "-f"])
    relayed = [message for one in sinks for message in one.messages]
    return Result(spool, relayed, first.mailbox("alice"), first.mailbox("bob"), system.log.text(), shown, names_left(system), held)


def _ready(queue: dict[str, list[Path]]) -> set[str]:
    """The queues that have complete files."""
    found = set()
    for name, files in queue.items():
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                if name == "corrupt" or file.stat().st_mode & 0o100:
                    found.add(name)
    return found


def _flush_until(system: Installed, done: Callable[[dict[str, list[Path]]], bool], first: list[str]) -> None:
    """FIRST makes the queue manager look; what a dead next hop has made wait is due at once."""
    system.run(first)
    until = time.monotonic() + 60
    seen = 0
    while seen < 3:  # a file that moves while the folders are looked at may be met in none of them
        assert time.monotonic() < until, f"{names_left(system)}\n{system.log.text()[-8000:]}"
        seen = seen + 1 if done(system.queue()) else 0
        system.run(["postqueue", "-f"])
        time.sleep(0.1)
