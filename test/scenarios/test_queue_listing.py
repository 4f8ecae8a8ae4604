"""What the queue manager knows of waiting mail: listings through its control socket, which say what the files say."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator

import pytest

from harness import paths, waiting
from harness.installed import Installed
from harness.sink import sink
from harness.waybill import NEEDED, Waybill

pytestmark = [pytest.mark.scenario, pytest.mark.root, pytest.mark.needs_program(*NEEDED, "libexec/showq", "sbin/postqueue", "sbin/postsuper")]

NEXT_HOP = 2647
LATE = ("minimal_backoff_time = 2h", "maximal_backoff_time = 2h", "queue_run_delay = 2h")


@contextlib.contextmanager
def filled(count: int) -> Iterator[tuple[Installed, list[str]]]:
    """A running system whose queue manager knows COUNT messages that are due in hours."""
    with Waybill() as system:
        system.configure([f"relayhost = [127.0.0.1]:{NEXT_HOP}", *LATE])
        system.start()
        system.stop()
        ids = waiting.fill(system.spool, count)
        system.start()
        waiting.wait_known(system, count)
        yield system, ids


def listings(system: Installed) -> list[str]:
    return [system.run(["postqueue", option]).stdout for option in ("-p", "-j")]


def from_files(system: Installed) -> list[str]:
    """The listings without the control socket."""
    socket = system.spool / waiting.CONTROL
    socket.rename(socket.with_name("away"))
    try:
        return listings(system)
    finally:
        socket.with_name("away").rename(socket)


def parts(listing: str) -> list[str]:
    """The messages, in an order of ours."""
    if listing.startswith("{"):
        return sorted(listing.splitlines())
    return sorted(listing.partition("\n")[2].split("\n\n"))


def assert_same(system: Installed, when: object = None) -> None:
    """What the queue manager tells is what the files say, byte for byte."""
    assert list(map(parts, listings(system))) == list(map(parts, from_files(system))), when


def listed(system: Installed) -> list[tuple[str, str]]:
    """Queue and id of each message."""
    return [(entry["queue_name"], entry["queue_id"]) for entry in map(json.loads, system.run(["postqueue", "-j"]).stdout.splitlines())]


def test_a_listing_says_what_the_files_say() -> None:
    with filled(30) as (system, ids):
        many = [f"r{number}@many.example" for number in range(120)]
        due = 4e9
        odd = [waiting.put(system.spool, 1001, "two@one.example", "Three@ONE.example", "local", due=due, reason='host said: 450 "no"', logged=1),
               waiting.put(system.spool, 1002, *many, due=due),
               waiting.put(system.spool, 1003, "x@y.example", due=due, sender=""),
               waiting.put(system.spool, 1004, "x@y.example", due=due, sender='odd "one"@here.example')]
        system.run(["postsuper", "-h", ids[0], "-h", odd[2], "-e", ids[1], "-d", ids[2]])
        system.send("now@far.example")
        system.wait_queue({"deferred": 32, "hold": 2})
        until_known(system, 33)
        assert waiting.told(system)[1] == [odd[1]]  # too many recipients to be kept
        assert_same(system)
        names = [name for _, name in listed(system)]
        assert {*odd, *ids[:2], *ids[3:]} < set(names) and len(names) == 34


def until_known(system: Installed, count: int) -> None:
    for _ in range(3000):
        if waiting.counts(system)["known"] == count:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{waiting.counts(system)}\n{system.log.text()}")


def test_messages_are_found_by_sender_and_domain() -> None:
    with filled(1500) as (system, ids):
        waiting.put(system.spool, 2000, "a@place7.example", "b@PLACE7.example", due=4e9, sender="boss@here.example")
        waiting.wait_known(system, 1501)
        assert len(waiting.told(system, domain="Place7.example")[0]) == 3  # once, whatever its spellings
        assert len(waiting.told(system, domain="place7.example", sender="boss@HERE.example")[0]) == 1
        assert len(waiting.told(system, sender="carol@mx.test.invalid")[0]) == 1500
        assert waiting.told(system, domain="nowhere.example") == ([], [])
        system.run(["postsuper", "-h", ids[7]])
        assert waiting.told(system, domain="place7.example", queue_name="hold") == ([ids[7]], [])
        assert waiting.told(system, queue_name="hold") == ([ids[7]], [])


def test_what_does_not_move_is_listed_once_while_others_move() -> None:
    with filled(3000) as (system, ids):
        still = set(ids[1000:])
        moving = "".join(f"{name}\n" for name in ids[:1000])
        over = threading.Event()

        def move() -> None:
            while not over.is_set():
                for act in ("-h", "-H"):
                    system.run(["postsuper", act, "-"], input=moving)

        mover = threading.Thread(target=move)
        mover.start()
        try:
            for _ in range(8):
                names = [name for _, name in listed(system)]
                assert sorted(name for name in names if name in still) == sorted(still)
        finally:
            over.set()
            mover.join()
        assert sorted(listed(system)) == sorted(("deferred", name) for name in ids)


def test_debians_postsuper_is_noticed() -> None:
    postsuper = paths.oracle() / "usr/sbin/postsuper"
    with filled(40) as (system, ids):
        for acts, deferred, hold in ((["-h", "ALL"], 0, 40), (["-H", ids[0], "-H", ids[1]], 2, 38), (["-d", ids[2], "-d", ids[0]], 1, 37),
                                     (["-e", ids[3]], 1, 37), (["-f", ids[4]], 2, 36)):
            system.run([postsuper, *acts])
            assert {name: waiting.counts(system)[name] for name in ("deferred", "hold")} == {"deferred": deferred, "hold": hold}
            assert_same(system, acts)
        with sink(system, NEXT_HOP) as next_hop:
            system.run([postsuper, "-r", ids[5]])
            system.send("now@far.example")  # has pickup look
            next_hop.wait(2)
            held = system.spool / "hold" / ids[6]
            os.utime(held, (0, 0))
            held.rename(system.spool / "incoming" / ids[6])  # as somebody would who knows of no commands
            next_hop.wait(3)
        system.wait_queue({"deferred": 2, "hold": 34})


def test_a_folder_that_is_moved_away_and_back() -> None:
    with filled(300) as (system, ids):
        away, folder = system.spool / "away", next(path for path in (system.spool / "deferred").iterdir() if any(path.iterdir()))
        inside = {path.name for path in folder.iterdir()}
        for _ in range(2):
            folder.rename(away)
            assert {name for _, name in listed(system)} == set(ids) - inside
            waiting.wait_known(system, len(ids) - len(inside))
            away.rename(folder)
            assert {name for _, name in listed(system)} == set(ids)
            waiting.wait_known(system, len(ids))
        assert_same(system)


def test_names_that_lie_where_they_do_not_belong() -> None:
    """A message is where its one path is; another name of it, elsewhere, comes and goes without it."""
    with filled(2) as (system, (name, other)):
        right, held = system.spool / "deferred" / name[0] / name, system.spool / "hold" / name
        wrong = system.spool / "deferred" / name

        def seen(deferred: int, hold: int) -> None:
            found = waiting.counts(system)
            assert (found["deferred"], found["hold"]) == (deferred, hold)

        os.link(right, wrong)
        wrong.unlink()
        seen(2, 0)
        os.link(right, held)  # as a crash may leave it
        waiting.counts(system)
        right.unlink()
        seen(1, 1)
        held.rename(right)
        seen(2, 0)
        right.rename(wrong)
        seen(1, 0)
        wrong.rename(right)
        seen(2, 0)
        right.rename(wrong)
        os.link(wrong, right)
        wrong.unlink()
        seen(2, 0)
        assert_same(system)
        assert ("deferred", other) in listed(system)


def test_a_burst_is_followed() -> None:
    """Many more changes than the kernel keeps for who does not read them."""
    with filled(3000) as (system, _):
        for act in ("-h", "-H", "-h", "-H", "-h"):
            system.run(["postsuper", act, "ALL"])
        assert waiting.counts(system)["hold"] == 3000
        assert_same(system)
        system.run(["postsuper", "-d", "ALL"])
        assert listed(system) == []


def test_clients_that_do_not_read_cost_nothing() -> None:
    """Neither memory, nor time of others; of too many the last are sent away."""
    with filled(3000) as (system, _), contextlib.ExitStack() as stack:
        idle = {name: "" for name in ("queue_name", "sender", "domain")}
        clients = [stack.enter_context(waiting.control(system, {"request": "list", **idle})) for _ in range(20)]
        with pytest.raises((ConnectionError, BrokenPipeError, AssertionError)):
            waiting.told(system)
        assert len(listed(system)) == 3000  # from the files
        system.send("now@far.example")
        system.wait_queue({"deferred": 3001})
        for client in clients[:10]:
            client.close()
        until_known(system, 3001)
        assert len(waiting.told(system)[0]) == 3001


def test_a_queue_manager_that_is_killed_in_the_middle_of_a_listing() -> None:
    with filled(4000) as (system, ids):
        (manager,) = system.children("qmgr")
        job = system.spawn(["postqueue", "-j"], stdout=-1)
        assert job.stdout
        first = job.stdout.readline()  # and no more: postqueue, showq and the queue manager wait for us
        system.run(["kill", "-KILL", manager])
        names = [json.loads(line)["queue_id"] for line in [first, *job.stdout.read().splitlines()]]
        assert job.wait() == 0 and sorted(names) == sorted(ids)


def test_who_may_do_what() -> None:
    """Whoever reaches the socket may look."""
    script = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect('public/qmgr-control')\ns.recv(1000)\n"
              "s.sendall(sys.argv[1].encode().replace(b'|', b'\\0'))\nprint(s.recv(1000).replace(b'\\0', b'|'))\n")
    ask, press = "request|count||", "request|flush_site|what|place3.example||"
    with filled(10) as (system, ids):
        as_member = ["setpriv", "--reuid=nobody", "--regid=postdrop", "--clear-groups"]
        folder = system.run(["postconf", "-h", "queue_directory"]).stdout.strip()

        def say(request: str, *prefix: str, check: bool = True) -> str:
            words = " ".join(["cd", folder, "&&", "exec", *prefix, "python3", "-c", '"$1"', '"$2"'])
            return system.run(["sh", "-c", words, "sh", script, request], check=check).stdout

        assert "status|0|active|0|deferred|10|" in say(ask, *as_member)
        assert "status|3|" in say(press, *as_member)  # denied
        assert not say(ask, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", check=False)
        assert "status|2|" in say("request|dance||")
        with sink(system, NEXT_HOP) as next_hop:
            assert "status|0|" in say(press)
            assert next_hop.wait(1)[0].recipients == ["user3@place3.example"]
            assert "status|0|" in say(f"request|flush_id|what|{ids[5]}||", "setpriv", "--reuid=postfix", "--regid=postfix", "--clear-groups")
            next_hop.wait(2)
        assert len(system.queue()["deferred"]) == 8
