"""Debian's system and ours, once for the tests of a file each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from harness import waybill
from harness.installed import Installed
from harness.oracle import Postfix

SYSTEMS = {"postfix": Postfix, "waybill": waybill.Waybill}
BOTH = ["postfix", pytest.param("waybill", marks=pytest.mark.needs_program(*waybill.NEEDED, "libexec/verify", "libexec/discard", "libexec/proxymap"))]

Maker = Callable[..., Installed]


def preload(system: Installed, entries: Mapping[str, str], cache: str = "verify_cache") -> None:
    """Fills the cache; TIME-n in an entry is a time n seconds ago."""
    now = int(time.time())
    rows = []
    for key, entry in entries.items():
        words = [str(now - int(word[5:])) if word.startswith("TIME-") else word for word in entry.split(":")]
        rows.append(f"{key} {':'.join(words)}\n")
    system.room.write("/home/entries", "".join(rows))
    system.room.shell(f"cd /var/lib/postfix; cp /home/entries {cache}; postmap btree:/var/lib/postfix/{cache}; rm {cache}; chown postfix: {cache}.db")


def dump(system: Installed, table: str = "btree:/var/lib/postfix/verify_cache") -> dict[str, str]:
    """The cache, read from a copy; times are TIME-0 when they are of the last half minute, and TIME when not."""
    kind, _, path = table.partition(":")
    system.room.shell(f"cd /home; rm -f copy*; cp {path}.* . && for f in $(basename {path}).*; do mv $f copy.${{f##*.}}; done")
    lines = system.run(["postmap", "-s", f"{kind}:/home/copy"]).stdout.splitlines()
    now = time.time()

    def masked(word: str) -> str:
        return word if not word.isdigit() or len(word) < 9 else "TIME-0" if -30 < int(word) - now < 30 else "TIME"

    return {key: ":".join(map(masked, value.split(":"))) for key, _, value in (line.partition("\t") for line in lines)}


@pytest.fixture(params=BOTH)
def made(request: pytest.FixtureRequest) -> Iterator[Maker]:
    """made([main.cf lines], [master.cf rows], entries): a started system with these entries in its cache."""
    systems: list[Installed] = []

    def make(main: list[str], rows: list[str] | None = None, entries: Mapping[str, str] | None = None) -> Installed:
        system = SYSTEMS[request.param]()
        systems.append(system)
        system.configure(["mail_name = Postfix", *main], rows or [])
        system.write_configuration()
        preload(system, entries or {})
        system.start()
        return system

    yield make
    for system in systems:
        text = system.log.text()
        if text:
            request.node.add_report_section("teardown", "log", text[-20000:])
        system.close()
