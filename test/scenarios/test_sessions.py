"""Thousands of sessions at once: what they cost, how newcomers fare, and what becomes of them at a reload and a stop."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from harness.installed import DAEMONS
from harness.system import System

from .where import everywhere, make

pytestmark = [pytest.mark.scenario]

# Debian's would need a process for each session.
OURS = everywhere(only=["waybill"])
BOTH_OURS = everywhere(only=["waybill", "instance"])
MANY, VERY_MANY, FINISHED, RECIPIENTS = 2000, 5000, 500, 50_000
PSS_MOST_KB, PSS_GREETED_MOST_KB, GREETING_MOST_S, TRIES = 40_000, 25_000, 0.050, 100
MAIN = ["in_flow_delay = 0", "mydestination = test.invalid", "local_transport = discard:"]
PSS = f"""for p in /proc/[0-9]*; do case $(readlink $p/exe) in {DAEMONS}/*) awk '/^Pss:/ {{ print $2 }}' $p/smaps_rollup;; esac; done"""


class Client:
    def __init__(self, port: int) -> None:
        self._s = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._data = b""
        self.greeting = self.reply()

    def reply(self) -> str:
        """The last line of a reply, or "" when the server has closed."""
        while True:
            lines = self._data.split(b"\r\n")
            for n, line in enumerate(lines[:-1]):
                if line[3:4] != b"-":
                    self._data = b"\r\n".join(lines[n + 1 :])
                    return line.decode()
            try:
                more = self._s.recv(65536)
            except ConnectionError:
                return ""
            if not more:
                return ""
            self._data += more

    def send(self, text: str) -> None:
        with contextlib.suppress(ConnectionError):
            self._s.sendall(text.replace("\n", "\r\n").encode())

    def say(self, line: str) -> str:
        self.send(f"{line}\n")
        return self.reply()

    def close(self) -> None:
        self._s.close()


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def sessions(system: System, count: int) -> Iterator[list[Client]]:
    with system.network():
        found = [Client(system.smtp_port) for _ in range(count)]
        yield found
        for one in found:
            one.close()


def memory_kb(system: System) -> int:
    return sum(map(int, system.run(["sh", "-c", PSS]).stdout.split()))


def settled_memory_kb(system: System, wanted: int) -> int:
    """Sessions give their buffers back when they have been idle for a second."""
    until = time.monotonic() + 20
    while (kb := memory_kb(system)) >= wanted and time.monotonic() < until:
        time.sleep(0.5)
    return kb


def greetings(system: System) -> list[float]:
    """How long each newcomer waited, from the shortest to the longest."""
    waits = []
    with system.network():
        for _ in range(TRIES):
            start = time.monotonic()
            newcomer = Client(system.smtp_port)
            waits.append(time.monotonic() - start)
            assert newcomer.greeting.startswith("220 ")
            newcomer.close()
    return sorted(waits)


def begin(client: Client, recipient: str) -> str:
    client.say("EHLO client.example")
    client.say("MAIL FROM:<bob@test.invalid>")
    return client.say(f"RCPT TO:<{recipient}>")


@pytest.mark.parametrize("where", OURS)
def test_idle_sessions(where: str) -> None:
    with make(where, MAIN) as system, sessions(system_started(system), MANY) as clients:
        for one in clients:
            one.say("EHLO client.example")
        assert settled_memory_kb(system, PSS_GREETED_MOST_KB) < PSS_GREETED_MOST_KB
        for one in clients:
            assert begin(one, "nosuchuser@test.invalid").startswith("550 5.1.1 ")
        kb = settled_memory_kb(system, PSS_MOST_KB)
        waits = min((greetings(system) for _ in range(3)), key=lambda waits: waits[-2])
        print(f"\n{MANY} sessions: {kb} kB PSS in all daemons ({kb / MANY:.1f} kB each); "
              f"greeting: median {waits[TRIES // 2] * 1000:.1f} ms, 99th percentile {waits[-2] * 1000:.1f} ms, longest {waits[-1] * 1000:.1f} ms")
        assert kb < PSS_MOST_KB
        assert waits[-2] < GREETING_MOST_S
        assert all(one.say("RSET") == "250 2.0.0 Ok" for one in clients)


@pytest.mark.fault("5,000 slow sessions")
@pytest.mark.parametrize("where", OURS)
def test_slow_sessions(where: str) -> None:
    """Each has sent half a command and nothing more: mail flows, and in the end each can say the rest."""
    with make(where, MAIN) as system, sessions(system_started(system), VERY_MANY) as clients:
        for one in clients:
            one.send("EHLO cli")
        with sessions(system, 1) as (newcomer,):
            assert begin(newcomer, "alice@test.invalid") == "250 2.1.5 Ok"
            newcomer.say("DATA")
            assert newcomer.say("Subject: x\n\nx\n.").startswith("250 2.0.0 Ok: queued as ")
        system.log.wait("status=sent")
        for one in clients:
            one.send("ent.example\n")
        assert all(one.reply().startswith("250 ") for one in clients)
        assert not system.log.find("warning|fatal|panic")


@pytest.mark.parametrize("where", OURS)
def test_stress(where: str) -> None:
    """Above four fifths of an explicit limit the stress values hold: here, that one error is enough."""
    with make(where, MAIN, ["smtp inet n - n - 10 smtpd"]) as system, sessions(system_started(system), 8) as clients:
        assert all(one.say("FOO") == "500 5.5.2 Error: command not recognized" and one.say("NOOP") == "250 2.0.0 Ok" for one in clients)
        with sessions(system, 2) as (ninth, _):
            for one in (ninth, clients[0]):
                assert one.say("FOO").startswith("500 ")
                assert one.reply() == "421 4.7.0 mx.test.invalid Error: too many errors"
        system.log.wait("too many errors after UNKNOWN", count=2)
        assert clients[1].say("FOO").startswith("500 ")
        assert clients[1].say("NOOP") == "250 2.0.0 Ok"


@pytest.mark.fault("50,000 recipients")
@pytest.mark.parametrize("where", OURS)
def test_very_many_recipients(where: str) -> None:
    with make(where, [*MAIN, f"smtpd_recipient_limit = {RECIPIENTS}", "local_recipient_maps ="]) as system:
        with sessions(system_started(system), 1) as (client,):
            assert begin(client, "alice@test.invalid") == "250 2.1.5 Ok"
            for start in range(1, RECIPIENTS, 1000):
                numbers = range(start, min(start + 1000, RECIPIENTS))
                client.send("".join(f"RCPT TO:<user{n}@test.invalid>\n" for n in numbers))
                assert {client.reply() for _ in numbers} == {"250 2.1.5 Ok"}
            assert client.say("RCPT TO:<bob@test.invalid>") == "452 4.5.3 Error: too many recipients"
            client.say("DATA")
            assert client.say("Subject: x\n\nx\n.").startswith("250 2.0.0 Ok: queued as ")
        system.log.wait(rf"nrcpt={RECIPIENTS} \(queue active\)")


@pytest.mark.parametrize("command", ["DATA", "BDAT 100000"])
@pytest.mark.parametrize("where", everywhere(only=("postfix", "waybill")))
def test_dripping_content(where: str, command: str) -> None:
    """smtpd_per_request_deadline: a client whose content comes slower than smtpd_min_data_rate is not waited for."""
    with make(where, [*MAIN, "smtpd_per_request_deadline = yes", "smtpd_timeout = 1s", "smtpd_min_data_rate = 1000"]) as system:
        with sessions(system_started(system), 1) as (client,):
            assert begin(client, "alice@test.invalid") == "250 2.1.5 Ok"
            client.send(f"{command}\n")
            if command == "DATA":
                assert client.reply().startswith("354 ")
            for _ in range(100):
                client.send("drip\n")
                if system.log.find(f"timeout after {command[:4]} "):
                    break
                time.sleep(0.1)
            assert client.reply() == "421 4.4.2 mx.test.invalid Error: timeout exceeded"


def in_a_message(clients: list[Client]) -> None:
    """Of ten, one is behind its recipient, one in its content, one between two chunks, and the rest are idle."""
    for n, one in enumerate(clients):
        one.say("EHLO client.example")
        if n % 10 < 3:
            assert begin(one, "alice@test.invalid") == "250 2.1.5 Ok"
        if n % 10 == 1:
            assert one.say("DATA").startswith("354 ")
            one.send("Subject: begun\n\nbegun\n")
        if n % 10 == 2:
            one.send("BDAT 18\nSubject: begun\n\n")
            assert one.reply() == "250 2.0.0 Ok: 18 bytes"


def finish(clients: list[Client]) -> list[str]:
    """The replies to the end of each message, and "" where there is none."""
    replies = []
    for n, one in enumerate(clients):
        if n % 10 == 0:
            one.say("DATA")
        if n % 10 < 2:
            replies.append(one.say("more\n."))
        if n % 10 == 2:
            replies.append(one.say("BDAT 0 LAST"))
    return replies


def queued(replies: list[str]) -> set[str]:
    return {found[1] for reply in replies if (found := re.fullmatch(r"250 2\.0\.0 Ok: .*queued as (\w+)", reply))}


def sent(system: System) -> set[str]:
    return {found[1] for found in system.log.find(r": (\w+): to=<alice@test.invalid>.*status=sent")}


def wait_sent(system: System, ids: set[str], *, removals: bool = True) -> None:
    """Waits until these messages, and no others, have gone.  A queue manager that is killed may not have told of all REMOVALS."""
    until = time.monotonic() + 30
    while sent(system) != ids or (removals and len(system.log.find(": removed$")) < len(ids)):
        assert time.monotonic() < until, f"sent: {len(sent(system))}, queued: {len(ids)}, lost: {ids - sent(system)}, too many: {sent(system) - ids}"
        time.sleep(0.1)


@pytest.mark.parametrize("where", OURS)
def test_reload(where: str) -> None:
    """Those in the middle of a message finish it; then, as the idle ones after their next command, they are told to go."""
    with make(where, MAIN) as system, sessions(system_started(system), MANY) as clients:
        in_a_message(clients)
        system.reload()
        with sessions(system, 1) as (newcomer,):
            assert newcomer.say("NOOP") == "250 2.0.0 Ok"
        replies = finish(clients)
        assert len(queued(replies)) == len(replies) == MANY * 3 // 10
        assert all(one.reply().startswith("421 4.3.2 ") and one.reply() == "" for n, one in enumerate(clients) if n % 10 < 3)
        assert all(one.say("NOOP") == "250 2.0.0 Ok" and one.reply().startswith("421 4.3.2 ") for n, one in enumerate(clients) if n % 10 > 2)
        wait_sent(system, queued(replies))


@pytest.mark.parametrize("where", BOTH_OURS)
def test_stop(where: str) -> None:
    """Those in the middle of a message finish it, the others are told to go."""
    patient = ["stop_time_limit = 300s", "stop_silence_limit = 300s"]
    with make(where, [*MAIN, "virtual_mailbox_domains =", "local_recipient_maps = static:x", *patient]) as system, sessions(system_started(system), MANY) as clients:
        in_a_message(clients)
        stop = system.spawn(["postfix", "stop"])
        assert all(one.reply().startswith("421 4.3.2 ") and one.reply() == "" for n, one in enumerate(clients) if n % 10 > 2)
        with pytest.raises(ConnectionError), sessions(system, 1):
            pass
        assert stop.poll() is None
        replies = finish(clients)
        assert len(queued(replies)) == len(replies) == MANY * 3 // 10
        assert all(one.reply().startswith("421 4.3.2 ") and one.reply() == "" for n, one in enumerate(clients) if n % 10 < 3)
        assert stop.wait(30) == 0
        assert {path.name for path in system.wait_queue({"incoming": len(replies)})["incoming"]} == queued(replies)
        assert [str(line) for line in system.log.lines() if re.search("warning|fatal|panic|timeout", line.text)] == []
        system.start()
        wait_sent(system, queued(replies))


@pytest.mark.parametrize("where", OURS)
def test_stop_without_them(where: str) -> None:
    """A client that is silent in the middle of a message, or too slow, is not waited for."""
    with make(where, [*MAIN, "stop_time_limit = 2s"]) as system, sessions(system_started(system), 10) as clients:
        in_a_message(clients)
        stop = system.spawn(["postfix", "stop"])
        while stop.poll() is None:
            clients[1].send("drip\n")
            time.sleep(0.1)
        assert stop.returncode == 0
        assert all(one.reply().startswith("421 4.3.2 ") and one.reply() == "" for one in clients)
        assert not system.log.find("with force|warning|fatal|panic")
        system.wait_queue()


@pytest.mark.parametrize("where", OURS)
def test_abort(where: str) -> None:
    """What was answered is kept, and nothing else is: no client believes in a message that is gone, and none that has to send it
    again has left half of it."""
    with make(where, MAIN) as system, sessions(system_started(system), MANY) as clients:
        in_a_message(clients)
        replies = finish(clients[:FINISHED])
        assert len(queued(replies)) == len(replies)
        system.run(["postfix", "abort"])
        system.running = False
        while system.run(["postfix", "status"], check=False).returncode == 0:
            time.sleep(0.05)
        replies += finish(clients[FINISHED:])
        assert all(reply.startswith("421 4.3.2 ") for one in clients[FINISHED:] for reply in iter(one.reply, ""))
        system.start()
        wait_sent(system, queued(replies), removals=False)
        system.wait_queue()


def system_started(system: System) -> System:
    system.start()
    return system
