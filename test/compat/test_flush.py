"""flush(8): which messages wait for which site, and their delivery when the site asks for it."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness import waybill
from harness.installed import Installed
from harness.ipc import converse
from harness.oracle import Postfix
from harness.sink import sink

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program(*waybill.NEEDED, "libexec/flush")]

DEAD = 2699
SITES = ("one.test", "sub.one.test", "two.test", "three.test", "other.test")
MAIN = [
    "fast_flush_domains = one.test, !three.test, inline:{ two.test=yes }, relay.test",
    f"transport_maps = static:smtp:[127.0.0.1]:{DEAD}", "mydestination =", "minimal_backoff_time = 3000s", "maximal_backoff_time = 4000s",
]
REQUESTS = [
    "request=send_site|site=other.test", "request=send_site|site=", "request=send_site|site=no/such", "request=send_site|site=..", "request=send_site|site=relay.test",
    "request=add|site=other.test|queue_id=ABCDEF1234", "request=add|site=one.test|queue_id=no/id", "request=add|site=relay.test|queue_id=ABCDEF1234",
    "request=send_file|queue_id=no/id", "request=send_file|queue_id=ABCDEF1234", "request=foo", "request=rfrsh", "request=purge",
]


def logs(system: Installed) -> dict[str, int]:
    """The sites' logs, with the number of messages in each."""
    folder = system.spool / "flush"
    return {str(path.relative_to(folder)): len(path.read_text().split()) for path in sorted(folder.rglob("*")) if path.is_file()}


def wait_logs(system: Installed, wanted: dict[str, int]) -> dict[str, int]:
    """The last ones seen when they do not become WANTED."""
    until = time.monotonic() + 10
    while (now := logs(system)) != wanted and time.monotonic() < until:
        time.sleep(0.02)
    return now


def command(system: Installed, *argv: str) -> tuple[int, str]:
    done = system.run(argv, check=False)
    return done.returncode, done.stdout + done.stderr


def run(kind: Any) -> dict[str, object]:
    seen: dict[str, object] = {}
    with kind() as system:
        system.configure(MAIN)
        system.start()
        for site in SITES:
            system.send(f"x@{site}", sender="", text="Subject: x\n\nbody\n")
        system.wait_queue({"deferred": len(SITES)})
        seen["after deferral"] = logs(system)
        seen["answers"] = [converse(system, "public/flush", [request]) for request in REQUESTS[:10]]
        seen["odd"] = [converse(system, "public/flush", [request])[:1] for request in REQUESTS[10:11]]
        seen["sendmail -qS"] = command(system, "sendmail", "-qSone.test")
        seen["refused"] = [command(system, "postqueue", "-s", site) for site in ("other.test", "three.test", "nosuch.test")]
        for argv in (("postqueue", "-s", "one.test"), ("sendmail", "-qRtwo.test")):
            with sink(system, DEAD) as risen:
                seen[" ".join(argv)] = command(system, *argv), [one.recipients for one in risen.wait(1)]
                system.log.wait(rf"to=<{re.escape(risen.messages[0].recipients[0])}>, .*status=sent")
        system.wait_queue({"deferred": 3})
        system.send("y@one.test", sender="", text="Subject: y\n\nbody\n")
        system.wait_queue({"deferred": 4})
        seen["again"] = logs(system)
        seen["old logs"] = refreshed(system)
    return seen


def refreshed(system: Installed) -> object:
    """A log that nobody has read for long is sent for; an empty one that nobody has written for long goes."""
    folder = system.spool / "flush"
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 30 * 86400,) * 2)
    system.log.mark()
    answer = converse(system, "public/flush", ["request=rfrsh"])
    system.log.wait(r"to=<y@one\.test>, .*status=deferred")  # tried again, and noted again
    system.wait_queue({"deferred": 4})
    return answer, wait_logs(system, {"one_test": 1})


def test_flush() -> None:
    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(run, (Postfix, waybill.Waybill))
    for name in theirs:
        assert (name, ours[name]) == (name, theirs[name])
