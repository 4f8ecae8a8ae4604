"""Debian's tools read our queue, and ours read Debian's: byte for byte what the system's own tools print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths, waybill
from harness.installed import Installed
from harness.oracle import Postfix

CONFIGURATION = ("relayhost = [127.0.0.1]:2699", "mail_name = Postfix")


def tool(vendor: str, name: str) -> Path:
    return (paths.oracle() / "usr/sbin" if vendor == "postfix" else paths.build_root() / "sbin") / name


TOOLS = ("sbin/postcat", "sbin/postqueue")

# Whose queue, and whose tools read it.
CONTROL = pytest.param(("postfix", "postfix"), id="control")
OURS_READ_DEBIANS = pytest.param(("postfix", "waybill"), id="ours-read-debians", marks=pytest.mark.needs_program(*TOOLS))
DEBIANS_READ_OURS = pytest.param(("waybill", "postfix"), id="debians-read-ours",
                                 marks=pytest.mark.needs_program(*waybill.NEEDED, *TOOLS, "libexec/showq"))
both_ways = pytest.mark.parametrize("queue", [CONTROL, OURS_READ_DEBIANS, DEBIANS_READ_OURS], indirect=True)


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> Iterator[tuple[Installed, str]]:
    """A system whose queue has messages that wait, one on hold and one in the drop box; and whose tools read it."""
    host, vendor = request.param
    with {"postfix": Postfix, "waybill": waybill.Waybill}[host]() as system:
        system.configure(CONFIGURATION)
        system.start()
        for number in range(3):
            system.send(f"x{number}@far{number}.example", "y@other.example", text=f"Subject: {number}\nX-Long: {'z' * 300}\n folded\n\n.\nbody {'é' * 200}\n", user="alice")
        system.run(["sendmail", "-i", "-N", "success,delay", "-V", "env.id", "-t"], input="To: t@far.example\nBcc: b@far.example\nSubject: t\n\n", user="bob")
        system.wait_queue({"deferred": 4})
        held = system.queue()["deferred"][0].name
        system.run(["postsuper", "-h", held])
        yield system, vendor


@pytest.mark.root
@pytest.mark.compat
@both_ways
def test_postcat(queue: tuple[Installed, str]) -> None:
    system, vendor = queue
    names = [file.name for name in ("deferred", "hold") for file in system.queue()[name]]
    assert len(names) == 4
    for name in names:
        for options in ("-q", "-vq", "-eq", "-hq", "-bq", "-bhq", "-oq", "-dq", "-rq"):
            own, other = (system.run([program, options, name]).stdout for program in ("postcat", tool(vendor, "postcat")))
            assert own == other and own, f"postcat {options} {name}"


HEAD = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"


@pytest.mark.root
@pytest.mark.compat
@both_ways
def test_postqueue(queue: tuple[Installed, str]) -> None:
    system, vendor = queue
    for option, between in (("-j", "\n"), ("-p", "\n\n")):  # the order of messages is nobody's promise
        own, other = (system.run([program, option]).stdout for program in ("postqueue", tool(vendor, "postqueue")))
        assert own.startswith(HEAD) == other.startswith(HEAD) == (option == "-p")
        assert sorted(own.removeprefix(HEAD).split(between)) == sorted(other.removeprefix(HEAD).split(between))
    listed = [json.loads(line) for line in system.run([tool(vendor, "postqueue"), "-j"]).stdout.splitlines()]
    assert sorted(entry["queue_name"] for entry in listed) == ["deferred", "deferred", "deferred", "hold"]
    assert {entry["sender"] for entry in listed} == {"alice@mx.test.invalid", "bob@mx.test.invalid"}


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.parametrize("queue", [CONTROL, DEBIANS_READ_OURS], indirect=True)  # we have no qshape
def test_qshape(queue: tuple[Installed, str]) -> None:
    system, _ = queue
    table = system.run(["qshape", "deferred", "hold"]).stdout
    rows = {line.split()[0]: line.split()[1] for line in table.splitlines()[1:]}
    assert rows["TOTAL"] == "8" and rows["other.example"] == "3" and rows["far.example"] == "2"


@pytest.mark.root
@pytest.mark.compat
@both_ways
def test_postsuper(queue: tuple[Installed, str]) -> None:
    """One system's postsuper in the queue of the other, which runs and goes on with what it finds."""
    system, vendor = queue
    postsuper = tool(vendor, "postsuper")
    waiting, expired, requeued = sorted(file.name for file in system.queue()["deferred"])
    (held,) = (file.name for file in system.queue()["hold"])
    assert system.run([postsuper, "-H", held, "-h", waiting]).stderr.count("1 message") == 2
    assert [file.name for file in system.queue()["hold"]] == [waiting]
    system.run([postsuper, "-d", waiting, "-e", expired, "-r", requeued])
    system.run(["postqueue", "-f"])
    system.log.wait(rf"qmgr\[\d+\]: {expired}: from=<\S+>, status=force-expired, returned to sender")
    system.log.wait(rf"pickup\[\d+\]: \w+: uid=\d+ from=<\S+> orig_id={requeued}$")
    system.wait_queue({"deferred": 2})
    names = {file.name for file in system.queue()["deferred"]}
    assert held in names and not names & {waiting, expired, requeued}
    assert not [file for log in ("defer", "bounce", "trace") for file in system.spool.glob(f"{log}/**/{waiting}")]
    # A queue restored from a backup: the files have other inodes.
    system.run(["postfix", "stop"])
    for file in system.queue()["deferred"]:
        system.run(["sh", "-c", 'cp -p "$1" "$1.new" && mv "$1.new" "$1"', "sh", "/var/spool/postfix/" + str(file.relative_to(system.spool))])
    assert "Renamed to match inode number: 2 messages" in system.run([postsuper]).stderr
    assert all(file.name.endswith(f"{file.stat().st_ino:X}") for file in system.queue()["deferred"])
    assert system.run([tool("postfix" if vendor == "waybill" else "waybill", "postsuper")]).stderr == ""
