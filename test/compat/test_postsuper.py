"""postsuper beside Debian's on the same queue: what it says and logs, how it ends, and what lies where afterwards."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import paths
from harness.installed import Installed
from harness.oracle import Postfix

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("sbin/postsuper")]

QUEUES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "defer", "bounce", "trace", "flush")
DAY = 24 * 3600
ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def _base(value: int, base: int, least: int) -> str:
    digits = ""
    while value or len(digits) < least:
        value, digit = divmod(value, base)
        digits = ALPHABET[digit] + digits
    return digits


def short_id(usec: int, inode: int) -> str:
    return f"{usec:05X}{inode:X}"


def long_id(usec: int, inode: int) -> str:
    return f"{_base(1795454489, 52, 6)}{_base(usec, 52, 4)}z{_base(inode, 51, 1)}"


class Spool:
    """Queue files known by labels: each holds its label, so that it is known again under another name."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.owner = (top / "incoming").stat()
        self.ids: dict[str, str] = {}

    def clear(self) -> None:
        self.ids = {}
        for queue in QUEUES:
            for folder, folders, files in os.walk(self.top / queue, topdown=False):
                for name in files:
                    os.unlink(os.path.join(folder, name))
                for name in folders:
                    path = os.path.join(folder, name)
                    (os.unlink if os.path.islink(path) else os.rmdir)(path)

    def folder(self, path: str) -> Path:
        made = self.top
        for part in path.split("/"):
            made = made / part
            if not made.exists():
                made.mkdir(0o700)
                os.chown(made, self.owner.st_uid, self.owner.st_gid)
        return made

    def put(self, label: str, folder: str, *, name: str = "", usec: int = 0xAAAA, wrong: bool = False, make: Callable[[int, int], str] = short_id,
            mode: int = 0o700, age: float = 0) -> str:
        """A file LABEL under the id that its inode gives it, a WRONG one, or NAME."""
        temporary = self.folder(folder) / "being.made"
        temporary.write_text(label)
        os.chmod(temporary, mode)
        os.chown(temporary, self.owner.st_uid, self.owner.st_gid)
        if age:
            os.utime(temporary, (time.time() - age, time.time() - age))
        inode = temporary.stat().st_ino
        name = name or make(usec, inode + 1000 if wrong else inode)
        self.ids[label] = name.removesuffix("#FIX")
        temporary.rename(temporary.parent / name)
        return name

    def listing(self) -> list[str]:
        """Folders and files, a file as its place, its label, its mode and whether its name is right."""
        rows = []
        for queue in QUEUES:
            for folder, folders, files in os.walk(self.top / queue):
                where = os.path.relpath(folder, self.top)
                rows += [f"{where}/{name}/" for name in folders if queue != "defer"]  # Debian's makes some when it looks for logs
                rows += [self._row(where, Path(folder) / name) for name in files]
        return sorted(rows)

    def _row(self, where: str, path: Path) -> str:
        if path.is_symlink() or not path.is_file():
            return f"{where}/{path.name} no file"
        st = path.stat()
        label = path.read_text()
        self.ids.setdefault(f"new {label}", path.name) if self.ids.get(label) != path.name else None
        right = path.name in [make(usec, st.st_ino) for make in (short_id, long_id) for usec in (0xAAAA, 0x1BBBB, 0x2CCCC)]
        return f"{where} {label} {st.st_mode & 0o7777:o} {'right' if right else 'other'} name"

    def anonymous(self, text: str) -> str:
        for label, name in sorted(self.ids.items(), key=lambda item: -len(item[1])):
            text = text.replace(name, label.replace(" ", "_")) if len(name) > 3 else text
        return text


@dataclass
class Case:
    name: str
    arguments: Sequence[str]  # {label} is the id of that file
    arrange: Callable[[Spool], object]
    input: str = ""
    main: Sequence[str] = field(default_factory=tuple)
    user: str = "root"


def two(s: Spool) -> None:
    s.put("one", "deferred/0")
    s.put("two", "deferred/1", usec=0x1BBBB)
    s.put("one's", "defer/0", name=s.ids["one"], mode=0o600)
    s.put("one's report", "bounce", name=s.ids["one"], mode=0o600)
    s.put("two's", "trace", name=s.ids["two"], mode=0o600)


def everywhere(s: Spool) -> None:
    for queue in ("maildrop", "incoming", "active", "deferred/0", "hold"):
        s.put(queue.replace("/0", ""), queue, mode=0o744 if queue == "maildrop" else 0o700)


def long_everywhere(s: Spool) -> None:
    for queue in ("incoming", "deferred/1", "hold"):
        s.put(queue.split("/")[0], queue, usec=0x1BBBB, make=long_id)
    s.put("deferred's", "defer/1", name=s.ids["deferred"], mode=0o600)


def held_and_not(s: Spool) -> None:
    s.put("held", "hold")
    s.put("marked", "hold", usec=0x1BBBB, mode=0o710)
    s.put("waits", "deferred/2", usec=0x2CCCC)


def misplaced(s: Spool) -> None:
    s.put("flat", "deferred")
    s.put("other", "deferred/A", usec=0x1BBBB)
    s.put("deep", "deferred/F/F", usec=0x2CCCC)
    s.put("hashed", "incoming/0")
    s.put("log", "defer", mode=0o600)
    s.put("young", "deferred", usec=0x1BBBB, mode=0o600)
    s.folder("hold/x")
    s.folder("deferred/0/1")


def restored(s: Spool) -> None:
    s.put("one", "deferred/0", wrong=True)
    s.put("two", "hold", usec=0x1BBBB, wrong=True)
    s.put("one's", "defer/0", name=s.ids["one"], mode=0o600)
    s.put("one's report", "bounce", name=s.ids["one"], mode=0o600)
    s.put("drop", "maildrop", wrong=True, usec=0x2CCCC)


def cut_short(s: Spool) -> None:
    """Between the two steps of a change of names."""
    for label, folder, mode in (("one", "hold", 0o700), ("two", "deferred/0", 0o700)):
        name = s.put(label, folder, mode=mode)
        os.rename(s.top / folder / name, s.top / folder / f"{name}#FIX")
    s.put("one's report", "bounce", name=s.ids["one"] + "#FIX", mode=0o600)


def strange(s: Spool) -> None:
    for number, name in enumerate(("foo.bar", "a b", "abcdefgh", "foo")):
        s.put(f"strange{number}", "incoming", name=name, age=3600)
    s.put("no log", "bounce", name="12.34", age=3600, mode=0o600)
    s.put("site", "flush", name="dead_test", mode=0o600)
    os.symlink("/etc/passwd", s.top / "hold" / "AAAAA1234")
    os.mkfifo(s.top / "hold" / "BBBBB1234")
    s.folder("hold/CCCCC1234")


def abandoned(s: Spool) -> None:
    for queue in ("maildrop", "incoming", "active", "hold"):
        s.put(f"{queue} unnamed", queue, name="123.456", age=8 * DAY, mode=0o600)
        s.put(f"{queue} named", queue, age=8 * DAY, mode=0o600)
        s.put(f"{queue} young", queue, usec=0x1BBBB, age=6 * DAY, mode=0o600)
        s.put(f"{queue} whole", queue, usec=0x2CCCC, age=30 * DAY)


def linked(s: Spool) -> None:
    s.put("held", "hold")
    os.link(s.top / "hold" / s.ids["held"], s.top / "incoming" / s.ids["held"])


CASES = [
    Case("hold one", ["-h", "{one}"], two),
    Case("hold unknown", ["-h", "ABCDE1234"], two),
    Case("hold twice", ["-h", "{one}", "-h", "{one}"], two),
    Case("hold not from maildrop", ["-h", "{maildrop}", "-h", "{hold}"], everywhere),
    Case("delete one", ["-d", "{one}"], two),
    Case("delete from a queue that has it not", ["-d", "{one}", "hold", "active"], two),
    Case("delete from several", ["-d", "{maildrop}", "-d", "{hold}", "-d", "{active}"], everywhere),
    Case("bad ids", ["-d", "a/b", "-h", "", "-r", "x.y", "-e", "ABC-D", "-H", "../deferred"], two),
    Case("all in lower case", ["-d", "all"], two),
    Case("release", ["-H", "{held}", "-H", "{waits}"], held_and_not),
    Case("requeue", ["-r", "{held}", "-r", "{waits}"], held_and_not),
    Case("expire", ["-e", "{held}", "-e", "{marked}", "-e", "{waits}"], held_and_not),
    Case("expire and release", ["-f", "{held}", "-f", "{marked}", "-f", "{waits}"], held_and_not),
    Case("expire what has two names", ["-e", "{held}", "hold"], linked),
    Case("young files are not there", ["-d", "{young}", "-h", "{young}", "-e", "{young}"], lambda s: s.put("young", "incoming", mode=0o600)),
    Case("damaged files are not there", ["-d", "{bad}"], lambda s: s.put("bad", "active", mode=0o400)),
    Case("in the order given", ["-h", "{deferred}", "-d", "{hold}", "-H", "{deferred}", "-e", "{active}", "-r", "{incoming}"], everywhere),
    Case("ids on stdin", ["-h", "-"], two, input="{one}\n{two} \n\nNOSUCH1\nx-y\n"),
    Case("ids on stdin, no line end", ["-d", "-"], two, input="{one}\n{two}"),
    Case("expire and release from stdin", ["-f", "-"], held_and_not, input="{held}\n{waits}\n"),
    Case("stdin is read once", ["-h", "-", "-d", "-"], two, input="{one}\n"),
    Case("hold all", ["-h", "ALL"], everywhere),
    Case("hold all of a queue", ["-h", "ALL", "incoming"], everywhere),
    Case("release all", ["-H", "ALL"], held_and_not),
    Case("requeue all", ["-r", "ALL"], everywhere),
    Case("expire all", ["-e", "ALL"], held_and_not),
    Case("expire and release all", ["-f", "ALL"], held_and_not),
    Case("delete all", ["-d", "ALL"], everywhere),
    Case("delete all of two queues", ["-d", "ALL", "maildrop", "hold"], everywhere),
    Case("delete all with logs", ["-d", "ALL", "deferred", "defer", "bounce", "trace"], two),
    Case("all, then one", ["-H", "ALL", "-h", "{held}"], held_and_not),
    Case("one, then all", ["-h", "{held}", "-H", "ALL"], held_and_not),
    Case("long ids", ["-h", "{deferred}", "-d", "{hold}", "-r", "{incoming}"], long_everywhere, main=["enable_long_queue_ids = yes"]),
    Case("long ids, all", ["-h", "ALL"], long_everywhere, main=["enable_long_queue_ids = yes"]),
    Case("structure", ["-s"], misplaced),
    Case("structure, plainly", [], misplaced),
    Case("structure of one queue", ["-s", "deferred"], misplaced),
    Case("structure, deeper", ["-s"], misplaced, main=["hash_queue_depth = 2", "hash_queue_names = deferred incoming"]),
    Case("structure, not hashed", ["-s"], misplaced, main=["hash_queue_names = defer"]),
    Case("structure of long ids", ["-s"], long_everywhere, main=["enable_long_queue_ids = yes", "hash_queue_depth = 2"]),
    Case("short names again", ["-s"], lambda s: s.put("long", "deferred/1", usec=0x1BBBB, make=long_id)),
    Case("short names with their logs", [], long_everywhere),
    Case("restored", ["-s"], restored),
    Case("restored, plainly", [], restored),
    Case("restored, then all", ["-s", "-h", "ALL"], restored),
    Case("restored, ids in hand", ["-s", "-h", "{one}"], restored),
    Case("restored, long ids are not looked at", ["-s"], lambda s: s.put("long", "hold", make=long_id, wrong=True), main=["enable_long_queue_ids = yes"]),
    Case("restored, long ids too", ["-S"], lambda s: s.put("long", "hold", make=long_id, wrong=True), main=["enable_long_queue_ids = yes"]),
    Case("cut short before", ["-s"], cut_short),
    Case("strange names", ["-s"], strange),
    Case("strange names, no structure", ["-p", "incoming", "hold"], strange),
    Case("abandoned", ["-p"], abandoned),
    Case("abandoned, plainly", [], abandoned),
    Case("abandoned, structure alone", ["-s"], abandoned),
    Case("bad queue", ["-d", "ALL", "nosuch"], lambda s: None),
    Case("no queue for it", ["-s", "corrupt"], lambda s: None),
    Case("bad option", ["-x"], lambda s: None),
    Case("no argument", ["-d"], lambda s: None),
    Case("not root", ["-d", "{one}"], two, user="alice"),
    Case("no configuration", ["-c", "/nosuch"], lambda s: None),
]


@pytest.fixture(scope="module")
def systems() -> Iterator[tuple[Installed, Installed]]:
    """Debian's, and Debian's with our postsuper; not running."""
    with Postfix() as debian, Postfix(swapped={"postsuper": paths.our_program("postsuper")}) as ours:
        for system in (debian, ours):
            system.write_configuration()
            system.run(["postfix", "check"])
        yield debian, ours


def wait_logged(system: Installed, since: int, count: int) -> list[str]:
    """The lines of postsuper's in the log, when there are COUNT of them."""
    until = time.monotonic() + 5
    while True:
        logged = re.findall(r"postsuper\[\d+\]: (.*)", system.log.text()[since:])
        if len(logged) >= count or time.monotonic() > until:
            return logged
        time.sleep(0.01)


def outcome(system: Installed, case: Case) -> tuple[int, list[str], list[str], list[str]]:
    spool = Spool(system.spool)
    spool.clear()
    system.main[:] = case.main
    system.write_configuration()
    case.arrange(spool)
    log_before = len(system.log.text())
    arguments = [argument.format(**spool.ids) for argument in case.arguments]
    done = system.run(["postsuper", *arguments], input=case.input.format(**spool.ids), check=False, user=case.user)
    listing = spool.listing()
    said = [line.removeprefix("postsuper: ") for line in spool.anonymous(done.stdout + done.stderr).splitlines()]
    logged = wait_logged(system, log_before, sum("option" not in line for line in said))
    logged = spool.anonymous("\n".join(logged)).splitlines()
    said, logged = ([line for line, _ in itertools.groupby(lines)] for lines in (said, logged))  # each of two passes warns
    if not case.arguments or case.arguments[0] in ("-s", "-S", "-p"):  # what the walk meets first is chance
        said, logged = sorted(said), sorted(logged)
    return done.returncode, said, logged, listing


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_like_debians(systems: tuple[Installed, Installed], case: Case) -> None:
    debian, ours = systems
    assert outcome(ours, case) == outcome(debian, case)
