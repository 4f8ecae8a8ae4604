"""Damaged and hostile queue files: where they end, that no daemon dies of them, and that other mail goes on."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.installed import Installed
from harness.oracle import Postfix
from harness.waybill import NEEDED, Waybill

from .cases import CASES, CORRUPT, DELIVERED, GONE, KILLS, Case
from .drops import DROPS
from .files import message, record

pytestmark = [pytest.mark.root, pytest.mark.compat]

IDS = {case.name: f"C0DE{number:03d}" for number, case in enumerate(CASES)}
BOTH = [pytest.param("postfix", id="postfix"), pytest.param("waybill", id="waybill", marks=pytest.mark.needs_program(*NEEDED))]
DEATHS = re.compile(r"fatal:|panic:|killed by signal|exit status|premature disconnect|transport \w+ failure")


def install(name: str) -> Installed:
    system = Postfix() if name == "postfix" else Waybill()
    system.configure(["mail_name = Postfix", "hash_queue_depth = 1", "local_destination_concurrency_limit = 20"])
    system.start()
    # Ours goes on beside the mail system, and removes what is neither message nor folder.
    system.run(["timeout", "60", "sh", "-c", "while pgrep -x postsuper; do sleep 0.05; done"])
    return system


def put(folder: Path, name: str, data: bytes, mode: int = 0o700, owner: int | None = None) -> None:
    """As a program of the system writes it: complete once its mode says so.  OWNER None is mail_owner, as of the folder."""
    if owner is None:
        owner = folder.stat().st_uid
    with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        os.fchown(file.fileno(), owner, owner)
        file.flush()
        os.fchmod(file.fileno(), mode)


@dataclass
class Tried:
    system: Installed
    places: dict[str, str]
    delivered: set[str]

    def end(self, case: Case) -> str:
        place = self.places.get(IDS[case.name])
        return place or (DELIVERED if IDS[case.name] in self.delivered else GONE)


def expected(case: Case, name: str) -> str:
    return case.debian if name == "postfix" and case.debian is not None else case.end


def look(system: Installed) -> Tried:
    places = {path.name: queue for queue, paths in system.queue().items() for path in paths}
    return Tried(system, places, {found[1] for found in system.log.find(r"local\[\d+\]: (\w+): to=<alice@.*status=sent")})


@pytest.fixture(scope="module", params=BOTH)
def tried(request: pytest.FixtureRequest) -> Iterator[Tried]:
    """A system in whose incoming queue all of them were, all at once."""
    system = install(request.param)
    try:
        cases = [case for case in CASES if expected(case, request.param) != KILLS]
        for case in cases:
            put(system.spool / "incoming", IDS[case.name], case.data)
        system.send("carol", text="Subject: sound\n\n")
        until = time.monotonic() + 40
        now = look(system)
        while any(now.end(case) != expected(case, request.param) for case in cases) and time.monotonic() < until:
            time.sleep(0.05)
            now = look(system)
        yield now
    finally:
        system.close()


# By the first word of a case's name.
FAULTS = {"cut": "truncated at each record", "length": "wrong lengths", "size": "wrong lengths", "pointer": "pointer loops", "end": "no end record",
          "attribute": "hostile attributes", "attributes": "hostile attributes"}


def marked(case: Case) -> object:
    fault = FAULTS.get(case.name.split("-")[0])
    return pytest.param(case, marks=pytest.mark.fault(f"corrupt queue file: {fault}") if fault else (), id=case.name)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_what_becomes_of_it(tried: Tried, case: Case) -> None:
    want = expected(case, tried.system.name)
    if want == KILLS:
        return
    assert tried.end(case) == want, "\n".join(map(str, tried.system.log.find(IDS[case.name])))
    if want == CORRUPT:
        assert tried.system.log.find(rf'warning: saving corrupt file "{IDS[case.name]}" from queue "active" to queue "corrupt"')


def test_others_are_delivered_and_nobody_dies(tried: Tried) -> None:
    assert len(tried.system.wait_mailbox("carol")) == 1
    assert not [line for line in tried.system.log.lines() if DEATHS.search(str(line))]


@pytest.mark.parametrize("text", [r"\(76\)", r"\(-2\)"])
def test_a_wrong_count_is_told(tried: Tried, text: str) -> None:
    assert tried.system.log.find(rf"qmgr\[\d+\]: warning: \w+: rcpt count mismatch {text}$")


# ---- what users and administrators look at it with ----

@pytest.fixture(scope="module")
def held() -> Iterator[Installed]:
    """Ours, with all of them on hold.  (Debian's showq and postcat die of some, or send for ever.)"""
    system = install("waybill")
    try:
        for case in CASES:
            put(system.spool / "hold", IDS[case.name], case.data)
        yield system
    finally:
        system.close()


needs_ours = pytest.mark.needs_program(*NEEDED, "sbin/postcat", "libexec/showq")


@needs_ours
def test_it_is_listed(held: Installed) -> None:
    listed = [json.loads(line) for line in held.run(["postqueue", "-j"]).stdout.splitlines()]
    by_id = {one["queue_id"]: one for one in listed}
    assert by_id[IDS["sound"]]["recipients"] == [{"address": "alice@mx.test.invalid"}]
    assert by_id[IDS["sender-control"]]["sender"] == '"a?b??"@x'
    assert by_id[IDS["time-missing"]]["arrival_time"] > 1700000000
    # What has a sender or a time can be shown, whatever follows.
    shown = {case.name for case in CASES if IDS[case.name] in by_id}
    assert {case.name for case in CASES if case.end != CORRUPT} <= shown
    assert {"cut-before-dsn", "cut-within-end", "pointer-to-itself", "type-unknown", "size-letters"} <= shown
    text = held.run(["postqueue", "-p"]).stdout
    assert text.endswith(f" in {len(listed)} Requests.\n") and all(f"\n{found}!" in text for found in by_id)


@needs_ours
def test_it_is_shown(held: Installed) -> None:
    script = "for id in $(ls /var/spool/postfix/hold); do postcat -q $id >/dev/null 2>&1 || echo $id $?; done"
    failed = dict(line.split() for line in held.run(["sh", "-c", script], check=False).stdout.splitlines())
    assert set(failed.values()) <= {"1"}  # says why; dies of no signal
    assert IDS["sound"] not in failed and IDS["cut-within-sender"] in failed


@needs_ours
def test_it_is_put_in_order_and_deleted(held: Installed) -> None:
    # Their names do not fit their inodes: all get other ones.
    done = held.run(["postsuper", "-s"])
    assert f"Renamed to match inode number: {len(CASES)} messages" in done.stderr
    held.run(["kill", "-STOP", held.children("qmgr")[0]])  # it would take what is released
    done = held.run(["postsuper", "-e", "ALL", "-H", "ALL", "-h", "ALL"])
    assert f"Placed on hold: {len(CASES)} messages" in done.stderr
    done = held.run(["postsuper", "-d", "ALL"])
    assert f"Deleted: {len(CASES)} messages" in done.stderr
    assert not any(held.queue().values())


# ---- in the place of files ----

MODES = {"mode-0600": 0o600, "mode-0400": 0o400, "mode-0000": 0, "mode-0070": 0o070}
NAMES = ["bad.name", ".hidden", "-d", "two words", "C0DE#FIX", "Ä"]
DEADLY = ["\x01", "x" * 200]
"""Debian's takes the first for a folder, and dies; the second is delivered, and postqueue dies."""


@pytest.mark.parametrize("queue", ["incoming", "deferred", "hold", "maildrop"])
@pytest.mark.parametrize("name", BOTH)
def test_what_is_no_queue_file_is_left_alone(name: str, queue: str) -> None:
    system = install(name)
    try:
        folder, target = system.spool / queue, system.spool / "hold" / "5AFE000001"
        put(target.parent, target.name, message())
        for number, mode in enumerate(MODES.values()):
            put(folder, f"D00{number}", message(), mode)
        os.mkdir(folder / "D100", 0o700)
        os.mkfifo(folder / "D200", 0o700)
        os.chmod(folder / "D200", 0o700)
        os.chown(folder / "D200", folder.stat().st_uid, -1)
        os.symlink("/etc/passwd", folder / "D300")
        os.symlink("../hold/5AFE000001", folder / "D301")
        os.symlink("nowhere", folder / "D302")
        for other in NAMES if name == "postfix" else NAMES + DEADLY:
            put(folder, other, message(), 0o744)
        before = names(folder)
        system.send("carol", text="Subject: sound\n\n")
        assert len(system.wait_mailbox("carol")) == 1
        system.run(["postqueue", "-f"])
        system.run(["postqueue", "-p"])
        system.send("carol", text="Subject: sound\n\n")
        assert len(system.wait_mailbox("carol", 2)) == 2
        assert names(folder) == before and target.exists() and not system.mailbox("alice")
        assert not [line for line in system.log.lines() if DEATHS.search(str(line))]
    finally:
        system.close()


def names(folder: Path) -> list[str]:
    """Without the folders of one letter, and what was put into them."""
    return sorted(entry.name for entry in folder.iterdir() if len(entry.name) > 1 or entry.is_file())


# ---- maildrop, where an unprivileged user may have written ----

@pytest.mark.fault("hostile maildrop file")
@pytest.mark.parametrize("name", BOTH)
def test_what_a_user_dropped(name: str) -> None:
    system = install(name)
    try:
        drops = {f"D06{number:04X}": drop for number, drop in enumerate(DROPS)}
        for file, drop in drops.items():
            put(system.spool / "maildrop", file, drop.data, 0o744, 20001)
        secret = system.spool / "pid/secret"
        put(secret.parent, "secret", message(content=[record("N", b"Subject: secret")]), 0o700, 0)
        os.symlink("../pid/secret", system.spool / "maildrop/D070001")
        system.send("carol", text="Subject: sound\n\n")
        assert len(system.wait_mailbox("carol")) == 1
        system.wait_queue({"maildrop": 1}, timeout=30)  # the link
        wanted = {drop.name for drop in DROPS if (drop.debian if name == "postfix" and drop.debian is not None else drop.delivered)}
        texts = system.wait_mailbox("alice", len(wanted))
        got = [found[1] for text in texts if (found := re.search(r"^Subject: drop-(.*)$", text, re.M))]
        assert sorted(got) == sorted(wanted)
        assert len(system.mailbox("carol")) == 1
        assert not any("secret" in text for text in texts) and secret.exists()
        system.log.wait(r"pickup\[\d+\]: warning: uid=20001: unexpected or malformed record type", count=10)
        assert not [line for line in system.log.lines() if DEATHS.search(str(line))]
    finally:
        system.close()
