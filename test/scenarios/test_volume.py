"""Ten thousand messages in a hundred sessions: all arrive, none twice."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.mailbox import header
from harness.system import System

from .where import everywhere, make

MESSAGES = int(os.environ.get("WAYBILL_VOLUME", "10000"))
SESSIONS = 100


def count_of(where: str) -> int:
    """Debian's Postfix only has to show that the test is right, and a private instance beside an installed system that it does the same."""
    return MESSAGES if where == "waybill" or os.geteuid() != 0 else min(MESSAGES, 1000)


def send(system: System, messages: int, recipient: str) -> None:
    """Each message goes to an address of its own: the number of the message stands before RECIPIENT."""
    system.run([*system.peer("smtp-source"), "-s", SESSIONS, "-m", messages, "-l", 1000, "-N", "-f", "carol@test.invalid", "-t", recipient,
                f"127.0.0.1:{system.smtp_port}"], timeout=600)


def wait_listening(system: System, port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            system.connect(port).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def check_each_once(seen: Iterable[str], messages: int) -> None:
    counts = Counter(seen)
    assert [name for name, n in counts.items() if n > 1] == [], "these arrived more than once"
    assert len(counts) == messages


@pytest.mark.scenario
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("where", everywhere())
def test_relayed_once(where: str, scratch: Path) -> None:
    messages = count_of(where)
    with make(where, ["relayhost = [127.0.0.1]:2620"]) as system:
        system.start()
        user = ["-u", "nobody"] if not system.rootless and os.geteuid() == 0 else []
        scratch.chmod(0o777)
        complaints = scratch / "complaints"
        with complaints.open("w") as file:
            sink = system.spawn([*system.peer("smtp-sink"), *user, "-D", f"{scratch}/got.", "127.0.0.1:2620", 1000], stderr=file)
        wait_listening(system, 2620)
        send(system, messages, "dave@far.example")
        assert sink.poll() is None, f"smtp-sink has ended: {complaints.read_text()}"
        system.wait_queue(timeout=300)
        seen = [address for file in scratch.glob("got.*") for address in re.findall(r"^X-Rcpt-Args: .*<(\S+)>", file.read_text(errors="replace"), re.M)]
        check_each_once(seen, messages)


@pytest.mark.scenario
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("where", everywhere("libexec/virtual"))
def test_into_a_maildir_once(where: str) -> None:
    messages = count_of(where)
    main = ["virtual_mailbox_maps = static:all/"]
    if where != "instance":
        main += ["virtual_mailbox_domains = box.example", "virtual_mailbox_base = /home/alice", "virtual_uid_maps = static:20001", "virtual_gid_maps = static:20001"]
    with make(where, main) as system:
        system.start()
        send(system, messages, "dave@test.invalid" if where == "instance" else "dave@box.example")
        system.wait_queue(timeout=600)
        folder = (system.folder / "mail" if where == "instance" else system.room.scratch / "home/alice") / "all"  # type: ignore[attr-defined]
        assert not list((folder / "tmp").iterdir())
        seen = [header(file.read_text(errors="replace"), "X-Original-To") or "" for file in (folder / "new").iterdir()]
        check_each_once(seen, messages)
