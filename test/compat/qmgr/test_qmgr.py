"""The queue manager's dealings with destinations, agents, files and time."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from harness.oracle import Postfix
from harness.sink import Gate, listening, sink

from .conftest import Maker

pytestmark = [pytest.mark.root, pytest.mark.compat]

NEXT_HOP = 2600
RELAY = f"relayhost = [127.0.0.1]:{NEXT_HOP}"
QUICK = ["minimal_backoff_time = 3s", "maximal_backoff_time = 3s", "queue_run_delay = 3s"]
REFUSED = r"connect to 127\.0\.0\.1\[127\.0\.0\.1\]:2600: Connection refused"


def qmgr_pid(system: Postfix) -> int:
    return system.children("qmgr")[0]


def waiting_ids(system: Postfix) -> list[str]:
    return [path.name for path in system.queue()["deferred"]]


def test_a_deferred_message_is_tried_again_when_it_is_due(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY, *QUICK])
    system.send("x@far.example", text="Subject: late\n\nbody\n", sender="alice@mx.test.invalid")
    system.log.wait(rf"to=<x@far\.example>, relay=none, .* dsn=4\.4\.1, status=deferred \({REFUSED}\)")
    (file,) = system.wait_queue({"deferred": 1})["deferred"]
    assert 1 <= file.stat().st_mtime - time.time() <= 4
    assert file.parent.name == file.name[0]
    with sink(system, NEXT_HOP) as next_hop:
        assert next_hop.wait(1)[0].recipients == ["x@far.example"]
        system.wait_queue()
    assert len(system.log.find(r"qmgr\[\d+\]: \w+: from=<alice@mx\.test\.invalid>, size=\d+, nrcpt=1 \(queue active\)")) == 2
    assert not list(system.spool.glob("defer/*/*"))


def test_a_dead_destination_is_left_alone(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY, "initial_destination_concurrency = 1"])
    for number in range(8):
        system.send(f"x{number}@far.example")
    system.wait_queue({"deferred": 8})
    system.log.wait(rf"error\[\d+\]: \w+: to=<\S+>, relay=none, .* dsn=4\.4\.1, status=deferred \(delivery temporarily suspended: {REFUSED}\)")
    with sink(system, NEXT_HOP) as next_hop:
        system.run(["postqueue", "-f"])
        assert len(next_hop.wait(8)) == 8
        system.wait_queue()


def test_a_transport_that_is_not_there(swapped: Maker) -> None:
    system = swapped("qmgr", ["transport_maps = inline:{ {a.example = nosuch:}, {b.example = parked:} }", "defer_transports = parked"])
    system.send("x@a.example", "y@b.example", "alice")
    system.log.wait(r"qmgr\[\d+\]: warning: connect to transport private/nosuch: No such file or directory")
    system.log.wait(r"error\[\d+\]: \w+: to=<x@a\.example>, relay=none, .* dsn=4\.3\.0, status=deferred \(mail transport unavailable\)")
    system.log.wait(r"error\[\d+\]: \w+: to=<y@b\.example>, relay=none, .* dsn=4\.3\.2, status=deferred \(deferred transport\)")
    system.wait_mailbox("alice")
    system.wait_queue({"deferred": 1})


def test_expiry(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY, *QUICK, "maximal_queue_lifetime = 5s"])
    system.send("x@far.example", sender="alice@mx.test.invalid")
    system.log.wait(r"qmgr\[\d+\]: \w+: from=<alice@mx\.test\.invalid>, status=expired, returned to sender", timeout=30)
    assert "Action: failed" in system.wait_mailbox("alice")[0]
    system.wait_queue()


def test_force_expiry(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY])
    system.send("x@far.example", sender="alice@mx.test.invalid")
    system.wait_queue({"deferred": 1})
    system.run(["postsuper", "-e", waiting_ids(system)[0]])
    system.run(["postqueue", "-f"])
    system.log.wait(r"qmgr\[\d+\]: \w+: from=<alice@mx\.test\.invalid>, status=force-expired, returned to sender")
    assert "Connection refused" in system.wait_mailbox("alice")[0]
    system.wait_queue()


def test_a_flush_is_for_what_was_put_aside_in_incoming_too(swapped: Maker) -> None:
    """As for a file that was still being delivered when the queue manager met it again."""
    system = swapped("qmgr", ["defer_transports = smtp"])
    system.send("x@far.example")
    (file,) = system.wait_queue({"deferred": 1})["deferred"]
    os.utime(file, (time.time() + 60,) * 2)
    aside = file.rename(system.spool / "incoming" / file.name)
    system.send("alice")
    system.wait_mailbox("alice")
    assert aside.exists()
    system.run(["postqueue", "-f"])
    system.log.wait(rf"qmgr\[\d+\]: {file.name}: from=\S+, size=\d+, nrcpt=1 \(queue active\)", count=2)


def test_what_others_do_to_deferred_is_seen(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY])
    for _ in range(3):
        system.send("x@far.example")
    system.wait_queue({"deferred": 3})
    gone, held, kept = waiting_ids(system)
    system.run(["postsuper", "-d", gone, "-h", held])
    with sink(system, NEXT_HOP) as next_hop:
        system.run(["postqueue", "-i", kept])
        next_hop.wait(1)
        system.wait_queue({"hold": 1})
        system.run(["postsuper", "-H", held])
        system.run(["postqueue", "-f"])
        next_hop.wait(2)
        system.wait_queue()


@pytest.mark.fault("corrupt queue file: no end record")
def test_a_damaged_file(swapped: Maker) -> None:
    system = swapped("qmgr", [])
    file = system.spool / "incoming/ABCDE12345"
    file.write_bytes(b"garbage\n")
    owner = (system.spool / "incoming").stat()
    os.chown(file, owner.st_uid, owner.st_gid)
    file.chmod(0o700)
    system.run(["postqueue", "-f"])
    system.log.wait(r'qmgr\[\d+\]: warning: saving corrupt file "ABCDE12345" from queue "active" to queue "corrupt"')
    system.log.wait(r"qmgr\[\d+\]: warning: ABCDE12345: message rejected: missing end record")
    system.wait_queue({"corrupt": 1})
    system.send("alice")
    system.wait_mailbox("alice")


def test_very_many_recipients(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY, "qmgr_message_recipient_limit = 200", "bounce_queue_lifetime = 1d"])
    everybody = [f"user{number}@site{number % 17}.example" for number in range(1200)]
    with sink(system, NEXT_HOP) as next_hop:
        system.send(*everybody)
        system.wait_queue(timeout=60)
        got = [recipient for message in next_hop.messages for recipient in message.recipients]
    assert sorted(got) == sorted(everybody)
    assert max(len(message.recipients) for message in next_hop.messages) <= 50
    system.log.wait(r"nrcpt=1200 \(queue active\)")


def dying(swapped: Maker, program: str) -> Postfix:
    system = swapped("qmgr", ["transport_maps = inline:{ {a.example = dying:} }", "transport_retry_time = 2s"],
                     ["dying unix - n n - 1 dying"])
    path = system.room.path("/usr/lib/postfix/sbin/dying")
    path.write_text(program)
    path.chmod(0o755)
    return system


# Debian's queue manager keeps such recipients in the active queue for much longer.
OURS = pytest.mark.parametrize("swapped", [pytest.param("ours", marks=pytest.mark.needs_program("libexec/qmgr"))], indirect=True)


@OURS
def test_an_agent_that_dies(swapped: Maker) -> None:
    system = dying(swapped, _DYING)
    system.send("x@a.example", "alice")
    system.log.wait(r"qmgr\[\d+\]: warning: private/dying socket: ")
    system.log.wait(r"error\[\d+\]: \w+: to=<x@a\.example>, .* dsn=4\.3\.0, status=deferred \((unknown mail transport error|mail transport unavailable)\)")
    system.wait_mailbox("alice")
    system.wait_queue({"deferred": 1})


@OURS
def test_an_agent_that_dies_before_its_hello(swapped: Maker) -> None:
    """One has been there before, so that the request is sent without waiting for a hello."""
    system = dying(swapped, _DYING + _SILENT)
    system.send("x@a.example")
    system.log.wait(r"to=<x@a\.example>, .* status=deferred \(unknown mail transport error\)")
    time.sleep(3)  # longer than transport_retry_time
    system.send("y@a.example")
    system.log.wait(r"to=<y@a\.example>, .* dsn=4\.3\.0, status=deferred \(mail transport unavailable\)")
    assert len(system.log.find("transport dying failure -- see a previous")) == 1


# Says hello, reads the request and goes.
_DYING = """#!/usr/bin/python3
import os, socket, struct
listener = socket.socket(fileno=6)
listener.setblocking(True)
client, _ = listener.accept()
os.write(5, struct.pack("iIi", os.getpid(), int(os.environ["GENERATION"], 8), 0))
client.sendall(b"protocol\\0delivery_request_protocol\\0\\0")
client.recv(65536)
client.close()
os.write(5, struct.pack("iIi", os.getpid(), int(os.environ["GENERATION"], 8), 1))
"""
_SILENT = """
client, _ = listener.accept()
"""


@pytest.mark.parametrize(("main", "order"), [
    pytest.param([], "BsBBBBBsBBBBBsBBBBBBBBB", id="default"),
    pytest.param(["smtp_delivery_slot_cost = 0"], "B" * 20 + "sss", id="never"),
    pytest.param(["smtp_delivery_slot_cost = 2", "smtp_delivery_slot_loan = 0", "smtp_delivery_slot_discount = 0"], "BBsBBsBBsBBBBBBBBBBBBBB",
                 id="in-advance"),
])
def test_small_messages_overtake_a_large_one(swapped: Maker, main: list[str], order: str) -> None:
    system = swapped("qmgr", [RELAY, "initial_destination_concurrency = 1", "smtp_destination_concurrency_limit = 1",
                              "smtp_destination_recipient_limit = 2", *main])
    gate = Gate()
    with listening(system, gate, NEXT_HOP):
        system.send(*(f"x{number}@far.example" for number in range(40)), sender="B@mx.test.invalid")
        assert gate.reached.wait(20)
        for _ in range(3):
            system.send("x@far.example", sender="s@mx.test.invalid")
        system.log.wait(r"from=<s@.*queue active", count=3)
        gate.opened.set()
        assert "".join(message.sender[0] for message in gate.wait(23)) == order


ALONE = ["you may need to reduce smtp connect and helo timeouts", "so that Postfix quickly skips unavailable hosts",
         "you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time",
         "so that Postfix wastes less time on undeliverable mail", "you may need to increase the master.cf smtp process limit"]
SLOWS, SEPARATE = "this may slow down other mail deliveries", "you may need a separate master.cf transport for {}"
MORE = "you may need to increase the main.cf qmgr_message_active_limit from 10"
ALWAYS = ["please avoid flushing the whole queue when you have", "lots of deferred mail, that is bad for performance",
          "to turn off these warnings specify: qmgr_clog_warn_time = 0"]


@pytest.mark.parametrize(("to", "main", "warnings"), [
    pytest.param("aaaa", [], [("a", 3, 3, ALONE)], id="one"),
    pytest.param("aaaaaaabbb", [], [("a", 3, 3, ALONE), ("b", 3, 10, [SLOWS, MORE])], id="full"),
    pytest.param("ababab", [], [("a", 3, 5, [SLOWS, SEPARATE]), ("b", 3, 6, [SLOWS, SEPARATE])], id="two"),
    pytest.param("aabb", [], [], id="few"),
    pytest.param("aaaa", ["qmgr_clog_warn_time = 0"], [], id="off"),
])
def test_a_destination_that_fills_the_active_queue(swapped: Maker, to: str, main: list[str], warnings: list[tuple[str, int, int, list[str]]]) -> None:
    next_hops = {"a": "[127.0.0.1]:2600", "b": "[127.0.0.1]:2601"}
    system = swapped("qmgr", ["qmgr_message_active_limit = 10", "transport_maps = inline:{ %s }" % ", ".join(
        f"{{{name}.example=smtp:{next_hop}}}" for name, next_hop in next_hops.items()), *main])
    a, b = Gate(), Gate()
    with listening(system, a, 2600), listening(system, b, 2601):
        for number, domain in enumerate(to, 1):
            system.send(f"x@{domain}.example")
            system.log.wait(r"queue active", count=min(number, 10))
        want = [text.format(next_hops[name]) for name, mine, all_, advice in warnings
                for text in (f"mail for {{}} is using up {mine} of {all_} active queue entries", *advice, *ALWAYS)]
        if want:
            system.log.wait(ALWAYS[-1], count=len(warnings))
        a.opened.set()
        b.opened.set()
        system.wait_queue()
    assert [found[1] for found in system.log.find(r"qmgr\[\d+\]: warning: (.*)$")] == want


def test_nothing_is_lost_or_doubled_under_load(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY])
    sender = ["smtp-source", "-s", "20", "-m", "500", "-f", "alice@mx.test.invalid", "-t", "x@far.example", "127.0.0.1:25"]
    with sink(system, NEXT_HOP) as next_hop:
        system.run(sender)
        system.wait_queue(timeout=60)
        assert len(next_hop.messages) == 500
    system.log.wait(r"qmgr\[\d+\]: \w+: removed", count=500)


@pytest.mark.crash
def test_nothing_is_lost_when_it_is_killed(swapped: Maker) -> None:
    system = swapped("qmgr", [])
    source = system.spawn(["smtp-source", "-s", "10", "-m", "300", "-f", "bob@mx.test.invalid", "-t", "alice@mx.test.invalid", "127.0.0.1:25"])
    for _ in range(4):
        time.sleep(0.25)
        system.run(["kill", f"-{signal.SIGKILL.value}", qmgr_pid(system)], check=False)
        system.run(["postkick", "public", "qmgr", "W"], check=False)  # dies of SIGPIPE when qmgr does
        system.log.wait(r"killed by signal 9")
    assert source.wait(60) == 0
    # A file that is still being delivered when it is met again is put aside for a minute.
    until = time.monotonic() + 150
    while any(system.queue().values()):
        assert time.monotonic() < until, system.log.text()
        system.run(["postkick", "public", "qmgr", "W"], check=False)
        time.sleep(2)
    sent = {found[1] for found in system.log.find(r"local\[\d+\]: (\w+): to=<alice@mx\.test\.invalid>, .* status=sent")}
    accepted = {found[1] for found in system.log.find(r"cleanup\[\d+\]: (\w+): message-id=")}
    assert accepted <= sent and len(system.mailbox("alice")) >= 300


def test_reload(swapped: Maker) -> None:
    system = swapped("qmgr", [RELAY])
    system.send("x@far.example")
    system.wait_queue({"deferred": 1})
    old = qmgr_pid(system)
    system.reload()
    system.send("alice")
    system.wait_mailbox("alice")
    assert qmgr_pid(system) != old
    assert not [line for line in system.log.lines() if re.search(r"qmgr.*(fatal|panic)", str(line))]
    with sink(system, NEXT_HOP) as next_hop:
        system.run(["postqueue", "-f"])
        next_hop.wait(1)
        system.wait_queue()
