"""proxymap and proxywrite answer as Debian's do, byte for byte, and log the same."""

from __future__ import annotations

import re
import time

import pytest

from harness import paths
from harness.ipc import converse
from harness.oracle import Postfix

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/proxymap")]

LOCK, UTF8, FOLD = 0x40, 0x80000, 0x100
USUAL = LOCK | UTF8
KIND = 0x30
"""Of an open reply's flags; the others tell what the first client of a table asked for, in that process."""

SETTINGS = [
    "proxy_read_maps = proxy:unix:passwd.byname, proxy:inline:{a=1, {b = two words}}, proxy:inline:{only=one}, proxy:regexp:/etc/postfix/pattern, proxy:static:x, $other proxy:hash:/var/lib/postfix/nowhere,"
    " proxy:hash:/var/lib/postfix/cache, hash:/var/lib/postfix/plain, proxy:fail:x, proxy:nosuch:x, proxy:noname",
    "other = proxy:cidr:/etc/postfix/networks",
    "proxy_write_maps = proxy:btree:/var/lib/postfix/cache, proxy:hash:/var/lib/postfix/hashed, proxy:inline:{a=1}, proxy:btree:/var/lib/postfix/no/folder",
]

Request = tuple[str, str]
"""The service, and a list of attributes "name=value|name=value"."""


def ask(request: str, table: str, rest: str = "", flags: int = USUAL) -> str:
    return f"request={request}|table={table}|flags={flags}" + (f"|{rest}" if rest else "")


TABLES = ("unix:passwd.byname", "inline:{a=1, {b = two words}}", "regexp:/etc/postfix/pattern", "static:x", "cidr:/etc/postfix/networks", "hash:/var/lib/postfix/nowhere",
          "hash:/var/lib/postfix/plain", "fail:x", "nosuch:x", "noname", "notlisted:x", "proxy:unix:passwd.byname", "")

READS: list[str] = [
    *[ask("open", table, flags=flags) for table in TABLES for flags in (0, USUAL, USUAL | FOLD)],
    *[ask("lookup", table, f"key={key}") for table in TABLES for key in ("a", "alice", "192.0.2.7", "")],
    *[ask("lookup", "inline:{a=1, {b = two words}}", f"key={key}", flags) for key in ("A", "b", "c") for flags in (0, FOLD, USUAL, USUAL | FOLD)],
    *[ask("sequence", "inline:{only=one}", f"function={n}") for n in (0, 1, 1, 0, 1, 2)],
    *[ask("sequence", table, "function=0") for table in ("noname", "notlisted:x", "")],  # others end Debian's
    ask("update", "btree:/var/lib/postfix/cache", "key=k|value=v"),
    ask("update", "unix:passwd.byname", "key=k|value=v"),
    ask("update", "notlisted:x", "key=k|value=v"),
    ask("delete", "unix:passwd.byname", "key=k"),
    ask("delete", "notlisted:x", "key=k"),
]
# Each of them is a connection of its own, followed by a request that shows whether it still lives.
ODD: list[str] = [
    "request=nosuch",
    "request=nosuch|table=x|flags=0",
    "request=",
    "request=lookup",
    "request=lookup|table=unix:passwd.byname",
    "request=lookup|table=unix:passwd.byname|key=alice|flags=0",
    "request=lookup|table=unix:passwd.byname|flags=x|key=alice",
    "request=lookup|table=unix:passwd.byname|flags=|key=alice",
    "request=sequence|table=static:x|flags=0|function=9",
    "request=open|table=unix:passwd.byname",
]
WRITES: list[str] = [
    ask("lookup", "btree:/var/lib/postfix/cache", "key=k"),
    ask("sequence", "btree:/var/lib/postfix/cache", "function=0"),
    ask("open", "btree:/var/lib/postfix/cache"),
    ask("update", "btree:/var/lib/postfix/cache", "key=k|value=v"),
    ask("lookup", "btree:/var/lib/postfix/cache", "key=k"),
    ask("update", "btree:/var/lib/postfix/cache", "key=k|value=w"),
    ask("update", "btree:/var/lib/postfix/cache", "key=j|value="),
    ask("lookup", "btree:/var/lib/postfix/cache", "key=j"),
    ask("update", "btree:/var/lib/postfix/cache", "key=J|value=capital"),
    ask("lookup", "btree:/var/lib/postfix/cache", "key=J"),
    ask("lookup", "btree:/var/lib/postfix/cache", "key=K", USUAL | FOLD),
    *[ask("sequence", "btree:/var/lib/postfix/cache", f"function={n}") for n in (0, 1, 1, 1, 0)],
    ask("delete", "btree:/var/lib/postfix/cache", "key=k"),
    ask("delete", "btree:/var/lib/postfix/cache", "key=k"),
    ask("lookup", "btree:/var/lib/postfix/cache", "key=k"),
    ask("update", "hash:/var/lib/postfix/hashed", "key=k|value=v"),
    ask("lookup", "hash:/var/lib/postfix/hashed", "key=k"),
    ask("open", "hash:/var/lib/postfix/hashed"),
    ask("open", "inline:{a=1}"),
    ask("lookup", "inline:{a=1}", "key=a"),
    ask("update", "inline:{a=1}", "key=a|value=b"),
    ask("lookup", "unix:passwd.byname", "key=alice"),
    ask("update", "notlisted:x", "key=k|value=v"),
    ask("delete", "notlisted:x", "key=k"),
    ask("open", "btree:/var/lib/postfix/no/folder"),
    ask("update", "btree:/var/lib/postfix/no/folder", "key=k|value=v"),
]


def masked(answer: str) -> str:
    return re.sub(r"(?<=flags\|)\d+", lambda found: str(int(found[0]) & KIND), answer)


def everything(vendor: str) -> dict[str, object]:
    swapped = {"proxymap": paths.our_program("proxymap")} if vendor == "ours" else {}
    with Postfix(swapped=swapped) as system:
        assert isinstance(system, Postfix)
        # One process each: another one would tell again what is wrong with a table.
        system.configure(SETTINGS, ["proxymap unix - - n - 1 proxymap", "proxywrite unix - - n - 1 proxymap"])
        system.room.write("/etc/postfix/pattern", "/^a/ found $0\n/^(x)/ $1\n")
        system.room.write("/etc/postfix/networks", "192.0.2.0/24 net\n")
        system.start()
        found: dict[str, object] = {}

        def step(name: str, service: str, requests: list[str]) -> None:
            mark = f"mark {time.monotonic_ns()}"
            found[name] = converse(system, f"private/{service}", requests, masked)
            system.run(["logger", "-p", "mail.info", "-t", "test/mark[1]", mark])
            system.log.wait(mark)
            found[f"{name}: log"] = [re.sub(r"cache\.db\.\S+", "cache.db", line.text) for line in system.log.lines() if line.program == "proxymap"]
            system.log.mark()

        for request in READS:
            if "|table=inline:{only=one}|flags=524352|function=1" in request:
                continue  # alone it asks for what another connection has begun: the cursor is one for all in Debian's
            step(f"proxymap {request}", "proxymap", [request])
        step("proxymap sequence", "proxymap", [r for r in READS if "sequence" in r])
        for request in ODD:
            step(f"proxymap odd {request}", "proxymap", [request, ask("lookup", "static:x", "key=a")])
        for request in WRITES:
            step(f"proxywrite {request}", "proxywrite", [request])
        step("proxywrite sequence", "proxywrite", [r for r in WRITES if "sequence" in r])
        found["files"] = system.room.shell("cd /var/lib/postfix; stat -c '%n %a %U' *.db")
        return found


def test_proxymap() -> None:
    debians, ours = everything("debian"), everything("ours")
    differences = [f"{name}\n  debian {value}\n  ours   {ours.get(name)}" for name, value in debians.items() if ours.get(name) != value]
    assert not differences, "\n".join(differences)
