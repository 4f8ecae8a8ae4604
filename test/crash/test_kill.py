"""Programs are killed while mail is on its way: what was accepted arrives, and nothing is corrupt."""

from __future__ import annotations

import random
import threading
import time

import pytest

from harness import waybill
from harness.installed import Installed
from harness.oracle import Postfix
from harness.sink import Sink, sink
from harness.smtp import Client

MESSAGES, CLIENTS, KILLS = 200, 4, 8

# Short waits instead of those that suit a real mail system.
CONFIGURATION = ("relayhost = [127.0.0.1]:2630", "service_throttle_time = 1s", "transport_retry_time = 1s", "minimal_backoff_time = 1s",
                 "maximal_backoff_time = 2s", "queue_run_delay = 1s", "ipc_timeout = 10s")


class Sender(threading.Thread):
    """Sends one message per session; knows which of them were accepted."""

    def __init__(self, system: Installed, numbers: range) -> None:
        super().__init__(daemon=True)
        self.system, self.numbers = system, numbers
        self.accepted: set[str] = set()

    def run(self) -> None:
        for number in self.numbers:
            address = f"{number}@far.example"
            if self._send(address):
                self.accepted.add(address)

    def _send(self, address: str) -> bool:
        try:
            client = Client(self.system.connect())
        except OSError:
            time.sleep(0.2)
            return False
        try:
            expected = client.reply()
            for command, code in (("EHLO client.example", "250"), ("MAIL FROM:<carol@mx.test.invalid>", "250"), (f"RCPT TO:<{address}>", "250"),
                                  ("DATA", "354"), (f"Subject: {address}\r\n\r\nbody\r\n.", "250")):
                expected = client.command(command)
                if not expected or not expected[-1].startswith(code):
                    return False
            return True
        except OSError:
            return False
        finally:
            client.close()


def pids_of(system: Installed, victim: str) -> list[int]:
    """VICTIM "any" is whatever master has started."""
    if victim == "master":
        return [system.master_pid()]
    if victim == "any":
        master = system.master_pid()
        return [process.pid for process in system.processes() if process.parent == master]
    return system.children(victim)


def start_again(system: Installed) -> None:
    """What outlives its master lets go of addresses and of the lock as soon as it gets to run."""
    until = time.monotonic() + 10
    while system.run(["postfix", "start"], check=time.monotonic() > until).returncode != 0:
        time.sleep(0.3)


def kill(system: Installed, victim: str) -> None:
    pids = pids_of(system, victim)
    if pids:
        system.run(["kill", "-9", random.choice(pids)], check=False)
    if victim == "master":
        start_again(system)


def wait_arrived(system: Installed, next_hop: Sink, accepted: set[str]) -> None:
    until = time.monotonic() + 90
    while missing := accepted - {one.recipients[0] for one in list(next_hop.messages)}:
        assert time.monotonic() < until, f"accepted and lost: {sorted(missing)}\n{system.log.text()[-10000:]}"
        # A queue manager that was killed last of all is started by the next trigger, or by master after five minutes.
        system.run(["postqueue", "-f"], check=False)
        time.sleep(0.5)


@pytest.mark.fault("kill -9")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "victim"), [
    pytest.param(Postfix, "any", id="postfix-any", marks=pytest.mark.compat),  # shows that the test is right
    *(pytest.param(waybill.Waybill, victim, id=f"waybill-{victim}", marks=pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap"))
      for victim in ("any", "master")),
])
def test_accepted_means_kept(kind: type[Installed], victim: str) -> None:
    with kind() as system:
        system.configure(CONFIGURATION)
        system.start()
        with sink(system, 2630) as next_hop:
            share = MESSAGES // CLIENTS
            senders = [Sender(system, range(n * share, (n + 1) * share)) for n in range(CLIENTS)]
            for sender in senders:
                sender.start()
            for _ in range(KILLS):
                time.sleep(0.2)
                kill(system, victim)
            for sender in senders:
                sender.join(120)
                assert not sender.is_alive(), "a client was left waiting"
            accepted = set().union(*(sender.accepted for sender in senders))
            assert len(accepted) > MESSAGES // 10, "hardly anything was accepted"
            wait_arrived(system, next_hop, accepted)
        assert not list((system.spool / "corrupt").iterdir())
