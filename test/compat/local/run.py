"""Sends the message of every case through a system and notes what its delivery agents logged and left behind."""

from __future__ import annotations

import concurrent.futures
import difflib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.log import Line
from harness.oracle import Postfix
from harness.system import System
from harness.waybill import Waybill
from scenarios.where import INSTALLED


@dataclass(frozen=True, eq=False)
class Case:
    """A message to each of TO, in order, in one transaction.

    SETUP are shell commands before, SHOW after; $N is the case's number, $H a folder /home/N of the user uN, who exists, and
    of whom the case may do what it likes.  In TO, SENDER, TEXT and ALIASES (lines of a table) N stands for that number, too."""

    name: str
    to: Sequence[str] = ("uN",)
    setup: str = ""
    show: str = ""
    aliases: Sequence[str] = ()
    text: str = "Subject: test\n\nhi\n"
    options: Sequence[str] = ()
    sender: str = "sink-N@test.invalid"
    free: str = ""
    """An expression for what may differ, and why it may."""


@dataclass(frozen=True)
class Group:
    """Cases under the same main.cf lines."""

    name: str
    main: Sequence[str]
    cases: Sequence[Case]


MAIN = (
    "recipient_delimiter =", "mail_name = Postfix", "deliver_lock_attempts = 2", "deliver_lock_delay = 1s", "biff = no",
    "maximal_backoff_time = 4000s", "alias_maps = hash:/etc/aliases, regexp:/etc/sink", "virtual_mailbox_domains = v.test.invalid",
)


def numbered(text: str, number: int) -> str:
    return re.sub(r"\bN\b|(?<=[a-z])N\b|(?<=[a-z])N(?=[-+a-z])", str(number), text)


LINE_SHOWN = 1800
"""Log lines are cut at 2000 bytes, delays and queue ids included, so that where they end is another in each run."""


def common(text: str) -> str:
    """Without what is another in each run."""
    text = re.sub(r"\b\d{10}\.P\d+\.[^\s:]+", "TMPNAME", text)
    text = re.sub(r"\b\d{10}\.V[0-9a-f]+I[0-9a-f]+M\d+\.[^\s:]+", "MAILDIRNAME", text)
    text = re.sub(r"\b[0-9A-F]{9,12}\b", "ID", text)
    text = re.sub(r"delay=[\d.]+, delays=[\d./]+, ", "", text)
    text = re.sub(r"<\d{14}\.ID@", "<TIME.ID@", text)
    text = re.sub(r"\w{3},? +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)", "DATE", text)
    return re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", "DATE", text)[:LINE_SHOWN]


class Runner:
    def __init__(self, system: System, groups: Sequence[Group]) -> None:
        self.system = system
        self.cases = [case for group in groups for case in group.cases]
        self.groups = groups
        self.lines: list[str] = []

    def number(self, case: Case) -> int:
        return self.cases.index(case) + 1

    def prepare(self) -> None:
        aliases = [numbered(line, self.number(case)) for case in self.cases for line in case.aliases]
        script = ["cat >/etc/aliases <<'END'", *aliases, "END", "postalias /etc/aliases", "echo '/^sink-/ /dev/null' >/etc/sink"]
        numbers = range(1, len(self.cases) + 1)
        # Not with useradd(8): two hundred processes, of which each rewrites five files.
        script += ["cat >>/etc/passwd <<'END'", *(f"u{n}:x:{3000 + n}:{3000 + n}::/home/u{n}:/bin/sh" for n in numbers), "END",
                   "cat >>/etc/group <<'END'", *(f"u{n}:x:{3000 + n}:" for n in numbers), "END",
                   f"for n in $(seq {len(self.cases)}); do cp -r /etc/skel /home/u$n; chown -R u$n:u$n /home/u$n; done"]
        for number in numbers:
            script += [f"echo u{number}@v.test.invalid u{number}/box >>/etc/vbox; echo d{number}@v.test.invalid u{number}/dir/ >>/etc/vbox",
                       f"echo u{number}@v.test.invalid {3000 + number} >>/etc/vid; echo d{number}@v.test.invalid {3000 + number} >>/etc/vid"]
        script += ["for x in root low none letters; do echo $x@v.test.invalid x/$x; done >>/etc/vbox",
                   "printf '%s\\n' 'root@v.test.invalid 0' 'low@v.test.invalid 99' 'letters@v.test.invalid 12x' >>/etc/vid"]
        self.system.run(["sh", "-ec", "\n".join(script)])

    def shell(self, case: Case, script: str) -> str:
        number = self.number(case)
        done = self.system.run(["sh", "-c", f"N={number} H=/home/u{number} U=u{number}; cd /tmp; {script}"], check=False)
        return done.stdout + done.stderr

    def send(self, case: Case) -> None:
        number = self.number(case)
        to = [numbered(who, number) for who in case.to]
        self.system.run(["sendmail", "-i", *case.options, "-f", numbered(case.sender, number), *to], input=numbered(case.text, number))

    def busy(self) -> bool:
        return any(self.system.queue()[name] for name in ("maildrop", "incoming", "active"))

    def settle(self) -> None:
        until = time.monotonic() + 40
        while self.busy():
            if time.monotonic() > until:
                raise AssertionError("mail stays active\n" + self.system.log.text()[-4000:])
            time.sleep(0.05)
        self.system.settle_log()

    def run(self) -> dict[str, list[str]]:
        self.system.write_configuration()
        self.prepare()
        seen = {}
        for at, group in enumerate(self.groups):
            self.system.main = [line for line in self.system.main if line not in getattr(self, "more", ())]
            self.more = group.main
            self.system.configure(group.main)
            if at == 0:
                self.system.start()
            else:
                self.system.reload()
            for case in group.cases:
                setup = self.shell(case, case.setup) if case.setup else ""
                assert not setup, f"{case.name}: {setup}"
                self.send(case)
            self.settle()
            lines = self.system.log.lines()
            for case in group.cases:
                seen[f"{group.name}: {case.name}"] = self.collect(case, lines)
        return seen

    def collect(self, case: Case, lines: Sequence[Line]) -> list[str]:
        number = self.number(case)
        ids = {line.text.split(":")[0] for line in lines if line.program == "qmgr" and f"from=<{numbered(case.sender, number)}>" in line.text}
        for _ in range(3):
            for line in lines:
                if line.text.split(":")[0] in ids and (found := re.search(r"\(forwarded as (\w+)\)", line.text)):
                    ids.add(found[1])
        own = [common(line.text) for line in lines
               if line.program in ("local", "virtual", "pipe", "error", "discard", "smtp", "retry")
               and (line.text.split(":")[0] in ids or re.search(rf"\bu{number}\b", line.text) and not re.match(r"[0-9A-F]{{9,}}:", line.text))]
        shown = self.shell(case, case.show).splitlines() if case.show else []
        return [*sorted(own), *map(common, shown)]


def run(system: System, groups: Sequence[Group]) -> dict[str, list[str]]:
    system.configure(MAIN)
    return Runner(system, groups).run()


def names(groups: Sequence[Group]) -> list[str]:
    return [f"{group.name}: {case.name}" for group in groups for case in group.cases]


class Differences:
    def __init__(self, theirs: dict[str, list[str]], ours: dict[str, list[str]], free: dict[str, str]) -> None:
        self.theirs, self.ours, self.free = theirs, ours, free

    def check(self, name: str) -> None:
        free = self.free[name]
        theirs, ours = ([re.sub(free, "*", line) if free else line for line in seen[name]] for seen in (self.theirs, self.ours))
        assert theirs == ours, "\n" + "\n".join(difflib.unified_diff(theirs, ours, "Debian's", "ours", lineterm="", n=1))


def compare(groups: Sequence[Group]) -> Differences:
    def seen_by(make: type[System]) -> dict[str, list[str]]:
        with make() as system:
            system.configure(INSTALLED)
            return run(system, groups)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(seen_by, (Postfix, Waybill))
    return Differences(theirs, ours, {f"{group.name}: {case.name}": case.free for group in groups for case in group.cases})
