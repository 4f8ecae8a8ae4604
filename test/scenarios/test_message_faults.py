"""cleanup is killed, or hangs, while a client is in the middle of a message: the client is told to come again, nothing half of it is
in the queue, and the session goes on."""

from __future__ import annotations

import pytest

from harness.installed import Installed
from harness.smtp import Client

from .where import everywhere, make

pytestmark = [pytest.mark.scenario]

MAIN = ("ipc_timeout = 1s", "in_flow_delay = 0")
BEGIN = ["MAIL FROM:<bob@test.invalid>", "RCPT TO:<alice@test.invalid>"]
LATER = "451 4.3.0 Error: queue file write error"
# What is said before, and what then ends the message.
ENDS = {
    "data": (["DATA"], "Subject: x\r\n\r\nrest\r\n."),
    "chunks": (["BDAT 12\r\nSubject: x"], "BDAT 0 LAST"),
    "envelope": ([], "BDAT 12 LAST\r\nSubject: x"),
}
# After a killed cleanup Debian's smtpd may end before master starts the next one.
CASES = [pytest.param(where.values[0], end, how, marks=where.marks, id=f"{end}-{how.lower()}-{where.id}")  # type: ignore[attr-defined]
         for where in everywhere(only=("postfix", "waybill")) for end in ENDS for how in ("KILL", "STOP")
         if where.id == "waybill" or end == "data"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("where", "end", "how"), CASES)
def test_cleanup(where: str, end: str, how: str) -> None:
    with make(where, MAIN) as system:
        assert isinstance(system, Installed)
        system.start()
        before, last = ENDS[end]
        client = Client(system.connect())
        client.reply()
        for line in ["EHLO client.example", *BEGIN, *before]:
            assert client.command(line)[-1][:1] in "23"
        pids = system.children("cleanup")
        system.run(["kill", f"-{how}", *pids])
        assert client.command(last) == [LATER]
        assert not [path for files in system.queue().values() for path in files if path.stat().st_mode & 0o100]
        if how == "STOP":
            system.run(["kill", "-CONT", *pids])
        if where == "waybill":
            for line in ["RSET", *BEGIN, "DATA", "Subject: again\r\n\r\nx\r\n."]:
                assert client.command(line)[-1][:1] in "23"
            assert "Subject: again" in system.wait_mailbox("alice")[-1]
        client.close()
        assert not system.log.find(r"smtpd\[\d+\]: (fatal|panic)")
