"""in_flow_delay: mail that comes while the queue manager does not take any waits, and goes on as soon as it takes some."""

from __future__ import annotations

import select
import time

import pytest

from harness.installed import Installed
from harness.smtp import Client

from .where import everywhere, make

pytestmark = [pytest.mark.scenario]

TOKENS = 5  # what is taken ahead of the queue manager
MESSAGE = ["MAIL FROM:<bob@test.invalid>", "RCPT TO:<alice@test.invalid>", "DATA", "Subject: x\r\n\r\nx\r\n."]


def main(delay: str) -> list[str]:
    return [f"default_process_limit = {TOKENS}", f"in_flow_delay = {delay}"]


def begin(system: Installed) -> Client:
    """A first message has gone through, and the queue manager stands still."""
    system.start()
    client = Client(system.connect())
    client.reply()
    client.command("EHLO client.example")
    send(client)
    system.log.wait(": removed")
    system.wait_queue()
    system.run(["kill", "-STOP", *system.children("qmgr")])
    return client


def send(client: Client) -> None:
    for line in MESSAGE:
        assert client.command(line)[-1][:1] in "23"


@pytest.mark.parametrize("where", everywhere(only=("postfix", "waybill")))
def test_pause(where: str) -> None:
    with make(where, main("2s")) as system:
        assert isinstance(system, Installed)
        client = begin(system)
        began = time.monotonic()
        for _ in range(TOKENS + 1):
            send(client)
        assert time.monotonic() - began >= 2
        system.run(["kill", "-CONT", *system.children("qmgr")])
        client.close()
        system.wait_mailbox("alice", TOKENS + 2)


@pytest.mark.parametrize("where", everywhere(only=("waybill",)))
def test_pause_ends(where: str) -> None:
    """Debian's cleanup sleeps to the end."""
    with make(where, main("1000s")) as system:
        assert isinstance(system, Installed)
        client = begin(system)
        for _ in range(TOKENS):
            send(client)
        connection = system.connect()
        late = Client(connection)
        late.reply()
        assert late.command(MESSAGE[0])[-1][:1] == "2"
        late.send(f"{MESSAGE[1]}\r\n".encode())
        assert not select.select([connection], [], [], 0.5)[0]
        system.run(["kill", "-CONT", *system.children("qmgr")])
        assert late.reply()[-1][:1] == "2"
        for line in MESSAGE[2:]:
            assert late.command(line)[-1][:1] in "23"
        late.close()
        client.close()
        system.wait_mailbox("alice", TOKENS + 2)
