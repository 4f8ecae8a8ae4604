"""Peers, users and files that mean harm: what they do is theirs alone, and mail goes on."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from harness import waybill
from harness.dns import name_server
from harness.installed import Installed

pytestmark = [pytest.mark.root, pytest.mark.crash, pytest.mark.needs_program(*waybill.NEEDED)]
SECRET = "nobody may read this"
PORT = 2640


@pytest.fixture
def system() -> Iterator[Installed]:
    with waybill.Waybill() as one:
        one.configure(["service_throttle_time = 1s", "transport_retry_time = 1s", "minimal_backoff_time = 1s", "maximal_backoff_time = 2s", "queue_run_delay = 1s"])
        yield one


def works(system: Installed, user: str) -> None:
    """And nothing has died before."""
    system.send(user, text="Subject: works\n\n")
    system.wait_mailbox(user)
    died = [str(line) for line in system.log.lines() if re.search(r"killed by signal|panic", line.text)]
    assert not died


class Endless(threading.Thread):
    """An SMTP server that says a few REPLIES, and then LINE for ever."""

    def __init__(self, system: Installed, replies: list[bytes], line: bytes) -> None:
        super().__init__(daemon=True)
        with system.network():
            self.listener = socket.create_server(("127.0.0.1", PORT))
        self.replies, self.line, self.sent = replies, line * (65536 // len(line) + 1), 0

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._serve(self.listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            for reply in self.replies:
                client.sendall(reply)
                client.recv(65536)
            while True:
                self.sent += client.send(self.line)


GREETING, HELLO, OK = b"220 mx.example ESMTP\r\n", b"250 mx.example\r\n", b"250 2.0.0 Ok\r\n"


@pytest.mark.fault("endless replies")
@pytest.mark.parametrize(("replies", "line"), [
    pytest.param([], b"220-x\r\n", id="greeting"), pytest.param([], b"x", id="greeting-of-one-line"), pytest.param([GREETING], b"250-SIZE\r\n", id="ehlo"),
    pytest.param([GREETING], b"250-" + b"x" * 4000, id="ehlo-of-one-line"), pytest.param([GREETING, HELLO], b"250-Ok\r\n", id="mail"),
    pytest.param([GREETING, HELLO, OK, OK, b"354 go\r\n"], b"250-Ok\r\n", id="end-of-data"),
])
def test_endless_replies(system: Installed, replies: list[bytes], line: bytes) -> None:
    """The client gives up, or goes on waiting, without growing; other mail is delivered meanwhile."""
    system.configure([f"relayhost = [127.0.0.1]:{PORT}", "smtp_helo_timeout = 1s", "smtp_mail_timeout = 1s", "smtp_connect_timeout = 1s", "smtp_rcpt_timeout = 1s",
                      "smtp_data_done_timeout = 1s", "disable_mime_output_conversion = yes"])
    system.start()
    server = Endless(system, replies, line)
    server.start()
    system.send("x@far.example")
    system.log.wait(r"to=<x@far\.example>.*status=deferred")
    works(system, "bob")
    assert all(memory_kib(system, pid) < 20_000 for pid in system.children("smtp"))
    print(f"{server.sent} bytes were taken")
    server.listener.close()


def memory_kib(system: Installed, pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+)", system.room.path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found[1]) if found else 0


@pytest.mark.fault("1,000 mail exchangers")
def test_a_thousand_mail_exchangers(system: Installed) -> None:
    """Some of them are tried."""
    system.configure(["smtp_host_lookup = dns", "smtp_tcp_port = 2641"])
    system.resolver("127.0.0.1")
    hosts = [f"many.example. 60 MX {n} h{n}.many.example." for n in range(1000)]
    with name_server(system, [*hosts, *(f"h{n}.many.example. 60 A 127.0.0.{2 + n % 200}" for n in range(1000))]) as zone:
        system.start()
        system.send("x@many.example")
        system.log.wait(r"to=<x@many\.example>.*status=deferred")
        works(system, "bob")
        assert len([one for one in zone.asked if one.startswith("h")]) <= 100, "each of them was looked up"


@pytest.mark.fault("junk on internal sockets")
def test_junk_on_internal_sockets(system: Installed) -> None:
    """A user cannot even reach them; one who got postdrop's rights can reach the public ones, and does no harm."""
    system.start()
    works(system, "alice")
    script = r"""
import os, random, socket, sys
folder, reached = sys.argv[1], 0
os.chdir("/var/spool/postfix")
for name in sorted(os.listdir("/tmp/names/" + folder)):
    for junk in (b"", b"\0" * 5000, b"x" * 200000, random.randbytes(100000), b"request\0flush\0\0", b"W" * 300, b"flags\0" + b"9" * 5000 + b"\0\0"):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.settimeout(1)
                client.connect(f"{folder}/{name}")
                reached += 1
                client.sendall(junk)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass
print(reached)
"""
    system.room.shell("cd /var/spool/postfix; for f in public private; do mkdir -p /tmp/names/$f; for s in $f/*; do : >/tmp/names/$s; done; done; chmod -R a+rX /tmp/names")

    def reach(folder: str, group: str) -> int:
        """How often one could connect."""
        return int(system.run(["setpriv", "--reuid=20003", f"--regid={group}", "--clear-groups", "/usr/bin/python3", "-c", script, folder]).stdout)

    try:
        assert reach("private", "20003") == 0 and reach("public", "20003") == 0
        assert reach("private", "postdrop") == 0 and reach("public", "postdrop") > 0
        works(system, "bob")
    finally:
        system.room.shell("rm -r /tmp/names")


@pytest.mark.fault("links in the spool")
@pytest.mark.parametrize("queue", ["maildrop", "incoming", "deferred"])
def test_links_in_the_spool(system: Installed, queue: str) -> None:
    """A link is not followed, nor a file with two names taken, whoever could make them."""
    system.start()
    works(system, "alice")
    secret = system.room.scratch / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o700)
    folder = system.spool / queue / ("A" if queue == "deferred" else "")
    folder.mkdir(exist_ok=True)
    (folder / "A1B2C3D4E5").symlink_to(secret)
    os.link(secret, folder / "A1B2C3D4E6")
    (folder / "A1B2C3D4E7").symlink_to("/var/spool/postfix")
    system.run(["postqueue", "-f"])
    system.run(["postqueue", "-p"])
    system.run(["postfix", "reload"])
    works(system, "bob")
    assert secret.read_text() == SECRET
    assert SECRET not in "".join(system.mailbox("bob") + system.mailbox("alice")) + system.log.text()
    assert len(system.log.find("A1B2C3D4E")) < 20
    assert secret.stat().st_mode & 0o777 == 0o700
