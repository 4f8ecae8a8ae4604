"""Connections used for several messages, and servers that end them at awkward moments: nothing is lost, nothing comes twice."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from harness import paths
from harness.installed import Installed
from harness.oracle import Postfix
from harness.waybill import Waybill

from .peer import CLOSE, Peer, Script

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtp", "sbin/sendmail", "sbin/postdrop")]

MESSAGES = 6
ENDS = {
    "stays open": {},
    "closes after each message": {"DOT": "250 2.0.0 kept!close"},
    "closes at the next rset": {"RSET": CLOSE},
    "closes at the next mail": {"MAIL": ["250 ok", CLOSE]},
    "says 421 at the next mail": {"MAIL": ["250 ok", "421 4.4.2 too long idle!close"]},
    "says 421 after each message": {"DOT": "250 2.0.0 kept\n421 4.4.2 bye!close"},
    "closes at the next rcpt": {"RCPT": ["250 ok", CLOSE]},
    "closes at the next data": {"DATA": ["354 go on", CLOSE]},
    "closes in the next end": {"DOT": ["250 2.0.0 kept", "451 4.3.0 later!close"]},
}
SYSTEMS = {
    "postfix": lambda: Postfix(swapped=paths.our_submission()),
    "postfix with our smtp": lambda: Postfix(swapped={**paths.our_submission(), "smtp": paths.our_program("smtp")}),
    "waybill": lambda: Waybill(),
}


def kept(peer: Peer) -> Counter[str]:
    """What the peer has said 250 to, by subject."""
    found: Counter[str] = Counter()
    for session in peer.sessions:
        subject, taken = "", 0
        dots = peer.script.says.get("DOT", "250")
        for line in session:
            if line.startswith("Subject: "):
                subject = line
            elif line == "." and subject:
                reply = dots if isinstance(dots, str) else dots[min(taken, len(dots) - 1)]
                taken += 1
                found[subject] += reply.startswith("2")
                subject = ""
    return found


def empty_queue(system: Installed) -> None:
    """Debian's qmgr lets a message lie for minutes when it meets it while the agent still has its file."""
    began, again = time.monotonic(), False
    while any(system.queue().values()):
        waited = time.monotonic() - began
        if waited > 90:
            raise AssertionError(f"left in the queue\n{system.log.text()}")
        if waited > 30 and not again and system.log.find("still being delivered"):
            system.stop()
            system.start()
            again = True
        if system.queue()["deferred"]:
            system.run(["postqueue", "-f"])
        time.sleep(0.2)


def deliver(system: Installed, peers: list[Peer], domains: list[str]) -> None:
    """MESSAGES to each domain.  They are submitted while the system is down, so that they wait for each other."""
    nexthops = " ".join(f"{{{domain} = smtp:[127.0.0.1]:{2600 + n}}}" for n, domain in enumerate(domains))
    system.configure([f"transport_maps = inline:{{ {nexthops} }}", "smtp_destination_concurrency_limit = 1", "minimal_backoff_time = 1s",
                      "maximal_backoff_time = 1s", "queue_run_delay = 1s", "smtp_destination_concurrency_failed_cohort_limit = 100"])
    try:
        system.start()
        system.stop()
        for n in range(MESSAGES):
            for domain in domains:
                system.run(["sendmail", "-i", "-f", "alice@test.invalid", f"bob@{domain}"], input=f"Subject: n{n}\n\nbody\n")
        system.start()
        empty_queue(system)
    finally:
        for peer in peers:
            peer.close()


@pytest.fixture(scope="module", params=SYSTEMS, ids=[which.replace(" ", "-") for which in SYSTEMS])
def peers(request: pytest.FixtureRequest) -> dict[str, Peer]:
    with SYSTEMS[request.param]() as system:
        found = {how: Peer(system, "127.0.0.1", 2600 + n, Script(ends, per_session=True, delays={"GREETING": 0.3}))
                 for n, (how, ends) in enumerate(ENDS.items())}
        deliver(system, list(found.values()), [f"d{n}.test" for n in range(len(found))])
        return found


def most_messages(peer: Peer) -> int:
    return max(sum(line == "DATA" for line in session) for session in peer.sessions)


@pytest.mark.parametrize("how", ENDS, ids=[how.replace(" ", "-") for how in ENDS])
def test_each_once(peers: dict[str, Peer], how: str) -> None:
    assert kept(peers[how]) == Counter({f"Subject: n{n}": 1 for n in range(MESSAGES)})


@pytest.mark.parametrize(("setting", "least", "most"), [
    ("smtp_connection_cache_on_demand = yes", 2, MESSAGES),
    ("smtp_connection_reuse_count_limit = 2", 2, 3),
    ("smtp_connection_cache_on_demand = no", 1, 1),
], ids=["reused", "two-more", "not-at-all"])
@pytest.mark.parametrize("which", SYSTEMS, ids=[which.replace(" ", "-") for which in SYSTEMS])
def test_how_often(which: str, setting: str, least: int, most: int) -> None:
    """N reuses are N + 1 messages; none without caching.  One process does it all: ours keep their connections to themselves,
    and whom the next request finds is otherwise master's and the kernel's to say."""
    with SYSTEMS[which]() as system:
        system.configure([setting], rows=["smtp unix - - n - 1 smtp"])
        peer = Peer(system, "127.0.0.1", 2600, Script(per_session=True, delays={"GREETING": 0.3}))
        deliver(system, [peer], ["d0.test"])
        assert sum(kept(peer).values()) == MESSAGES
        assert least <= most_messages(peer) <= most


@pytest.mark.parametrize(("listed", "sessions"), [("other.test, 127.0.0.1", 1), ("[127.0.0.1]:2600", 3)], ids=["by-name", "not-as-written"])
@pytest.mark.parametrize("which", SYSTEMS, ids=[which.replace(" ", "-") for which in SYSTEMS])
def test_kept_without_demand(which: str, listed: str, sessions: int) -> None:
    """Mail that comes now and then, to a destination whose connections are always kept."""
    with SYSTEMS[which]() as system:
        system.configure([f"smtp_connection_cache_destinations = {listed}", "smtp_connection_cache_time_limit = 60s",
                          "transport_maps = inline:{ {d0.test = smtp:[127.0.0.1]:2600} }"], rows=["smtp unix - - n - 1 smtp"])
        peer = Peer(system, "127.0.0.1", 2600, Script(per_session=True))
        system.start()
        for n in range(3):
            system.run(["sendmail", "-i", "-f", "alice@test.invalid", "bob@d0.test"], input=f"Subject: n{n}\n\nbody\n")
            system.log.wait("status=sent", count=n + 1)
            system.wait_queue()
        peer.close()
        assert len(peer.sessions) == sessions
