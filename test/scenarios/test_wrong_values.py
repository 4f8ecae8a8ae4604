"""A wrong value in main.cf stops the programs that use it, and none of the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.smtp import dialogue
from harness.system import System

from .where import everywhere, make

pytestmark = pytest.mark.scenario
SESSION = ["EHLO client.test", "MAIL FROM:<a@far.example>", "RCPT TO:<alice@test.invalid>", "DATA", "Subject: x\r\n\r\nx\r\n.", "QUIT"]


@pytest.fixture(params=everywhere())
def running(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param) as system:
        system.start()
        yield system


def test_commands_work(running: System) -> None:
    running.configure(["smtpd_timeout = 5x", "smtp_connect_timeout = 5x"])
    running.write_configuration()
    running.send("alice@test.invalid")
    running.wait_mailbox("alice")
    for command in (["postqueue", "-p"], ["postsuper", "-h", "ALL"], ["postfix", "status"], ["postfix", "reload"]):
        assert running.run(command, check=False).returncode == 0, command
    running.stop()
    running.start()


def test_services_work(running: System) -> None:
    running.configure(["smtp_connect_timeout = 5x", "smtpd_timeout = 300s"])
    running.reload()
    assert dialogue(running, SESSION)[-2].startswith("250")
    running.wait_mailbox("alice")
    running.configure(["smtp_connect_timeout = 30s", "smtpd_timeout = 5x"])
    running.reload()
    running.send("alice@test.invalid")
    running.wait_mailbox("alice", 2)
    assert not running.log.find("fatal")
    with running.connect():
        running.log.wait(r"smtpd\[\d+\]: fatal: .*smtpd_timeout")


@pytest.mark.parametrize(("line", "status"), [
    ("smtputf8_enable = perhaps", 69), ("address_verify_negative_cache = perhaps", 69), ("command_directory =", 69),
    ("anvil_rate_time_unit = soon", 0), ("address_verify_sender_ttl = soon", 0), ("virtual_transport =", 0)])
def test_what_commands_use(running: System, line: str, status: int) -> None:
    running.configure([line])
    running.write_configuration()
    assert running.run(["postqueue", "-p"], check=False).returncode == status
