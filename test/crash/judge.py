"""Every copy that arrives is accounted for.

A message carries its number; a copy's Received: lines tell through which queue files it came.  So each copy that is one
too many can be traced to the window in which it was made:

    a  delivered, or told that it never will be, and its agent was killed before it had marked that in the queue file: the
       same queue files twice
    b  pickup(8) or cleanup(8) was killed after the message was committed and before its maildrop file was gone
    c  the client was not told, or wrongly, that its message had been taken, and sent it again
    d  local(8) had forwarded, or bounce(8) had sent a notice, and it or cleanup(8) was killed before it had marked that
"""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.installed import Installed
from harness.log import Line, Log
from harness.sink import Received

from .kills import Kill
from .load import ADDRESSES, AGENTS, FORWARDED_TO, SENDER, NextHop, Parcel


@dataclass(frozen=True)
class Copy:
    number: int
    destination: str
    chain: tuple[str, ...]
    """The queue files it came through, the first one first."""
    at: float
    whole: bool


def copy_of(text: str, destination: str, at: float) -> Copy:
    head = text.split("\n\n", 1)[0]
    lines = re.findall(r"^Received:.*(?:\n[ \t].*)*", head, re.M)
    chain = tuple(found[1] for line in reversed(lines) if (found := re.search(r"\sid (\w+)", line)))
    subject = re.search(r"^Subject: parcel (\d+)$", head, re.M)
    number = int(subject[1]) if subject else -1
    return Copy(number, destination, chain, at, f"\nthe whole of {number}\n" in text)


def notice_of(text: str, at: float) -> Copy:
    """Its own queue files come after those of the message that it is about."""
    head, _, about = text.partition("Content-Description: Undelivered Message")
    notice, message = copy_of(head, "bounced", at), copy_of(about.partition("\n\n")[2], "bounced", at)
    return Copy(message.number, "bounced", message.chain + notice.chain, at, message.whole or "Undelivered Message Headers" in text)


def relayed(one: Received, at: float) -> Iterator[Copy]:
    for recipient in one.recipients:
        yield copy_of(one.text, "forwarded" if recipient == FORWARDED_TO else "relayed", at)


def arrived(system: Installed, next_hop: NextHop) -> list[Copy]:
    copies = [copy for one, at in zip(next_hop.messages, next_hop.times) for copy in relayed(one, at)]
    for destination, path in (("mbox", "mail/alice"), ("virtual mbox", "home/carol/file"), ("bounced", "mail/bob")):
        file = system.room.scratch / path
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        for part in re.split(r"^(?=From \S+  \w{3} )", text, flags=re.M)[1:]:
            begun = time.mktime(time.strptime(part.split("\n", 1)[0].split("  ", 1)[1]))
            copies.append(notice_of(part, begun) if destination == "bounced" else copy_of(part, destination, begun))
    for file in (system.room.scratch / "home/carol/folder/new").glob("*"):
        copies.append(copy_of(file.read_text(encoding="utf-8", errors="replace"), "maildir", file.stat().st_mtime))
    return sorted(copies, key=lambda copy: copy.at)


@dataclass(frozen=True)
class Duplicate:
    first: Copy
    again: Copy
    window: str
    """a, b, c, d; empty when none of them explains it."""
    why: str

    def __str__(self) -> str:
        return f"({self.window or '?'}) parcel {self.again.number} {self.again.destination}: {' > '.join(self.again.chain)}: {self.why}"


def told_by(log: Log) -> Iterator[tuple[float, Line]]:
    """The lines of LOG and when they were written, as they say themselves."""
    for line in log.lines():
        if found := re.match(r"<\d+>(\w{3} [ \d]\d [\d:]{8}) ", line.raw):
            yield time.mktime(time.strptime(f"{time.localtime().tm_year} {found[1]}", "%Y %b %d %H:%M:%S")), line


IN_FILES = ("mbox", "virtual mbox", "bounced")
SLACK = 3.0  # seconds: logs tell whole ones, and programs, and the tests' next hop, may have waited for a processor


class Judge:
    def __init__(self, all_parcels: list[Parcel], copies: list[Copy], kills: list[Kill], told: Iterable[tuple[float, Line]]) -> None:
        self.parcels = {parcel.number: parcel for parcel in all_parcels}
        self.kills = kills
        self._born: dict[str, float] = {}
        """When each queue file was first spoken of."""
        self._sent: dict[tuple[str, str], float] = {}
        """When a delivery from it to an address was last told of."""
        for at, line in told:
            if found := re.match(r"(\w{6,}): (?:to=<(\S+)>.* status=sent)?", line.text):
                self._born.setdefault(found[1], at)
                if found[2]:
                    self._sent[found[1], found[2]] = at
        self.copies: Mapping[tuple[int, str], list[Copy]] = defaultdict(list)
        for copy in sorted(map(self._timed, copies), key=lambda copy: copy.at):
            if copy.whole:
                self.copies[copy.number, copy.destination].append(copy)
        self.pieces = [copy for copy in copies if not copy.whole]

    def _timed(self, copy: Copy) -> Copy:
        """The lines between the messages of a mailbox file tell when each came, by the clock of that time, not when it was put there."""
        return replace(copy, at=self._born.get(copy.chain[-1], copy.at)) if copy.destination in IN_FILES and copy.chain else copy

    def lost(self) -> list[str]:
        return [f"{parcel.number} {destination} by {parcel.by}" for parcel in self.parcels.values() if parcel.accepted
                for destination in parcel.destinations if not self.copies[parcel.number, destination]]

    def duplicates(self) -> list[Duplicate]:
        return [self._judge(copies[:n], again) for copies in list(self.copies.values()) for n, again in enumerate(copies) if n > 0]

    def _judge(self, before: list[Copy], again: Copy) -> Duplicate:
        """The copy before it with which it has most of its way in common tells where it was made."""
        first = max(before, key=lambda copy: (copy.chain == again.chain, copy.chain[:1] == again.chain[:1], copy.at))
        parcel = self.parcels[again.number]
        if first.chain == again.chain:
            address = SENDER if again.destination == "bounced" else ADDRESSES[again.destination]
            put = self._sent.get((first.chain[-1], address), first.at) if again.destination in IN_FILES else first.at
            return self._explain(first, again, "a", {AGENTS[again.destination]}, first.at, max(put, first.at))
        if first.chain[:1] == again.chain[:1]:
            born = self._first_born(first.chain[-1], again.chain[-1])
            if again.destination != "bounced":
                return self._explain(first, again, "d", {"local", "cleanup"}, born)
            posted = self._explain(first, again, "d", {"bounce", "cleanup"}, born)
            return posted if posted.window else self._explain(first, again, "a", {"smtp"}, born)
        if parcel.untold:
            return Duplicate(first, again, "c", f"its client was told: {', '.join(parcel.untold)}")
        if parcel.by == "sendmail":
            return self._explain(first, again, "b", {"pickup", "cleanup"}, self._first_born(first.chain[0], again.chain[0]))
        return Duplicate(first, again, "", "the client was told at once")

    def _first_born(self, *files: str) -> float:
        """A program that was killed may not have logged its file."""
        return min(self._born.get(file, time.time()) for file in files)

    def _explain(self, first: Copy, again: Copy, window: str, programs: set[str], at: float, until: float = 0) -> Duplicate:
        """One of PROGRAMS was killed soon after AT, or between it and UNTIL, when what they were at had been done."""
        near = [kill for kill in self.kills if kill.program in programs and at - SLACK < kill.at < max(at, until) + 1 + SLACK]
        if not near:
            return Duplicate(first, again, "", f"nothing happened to {' or '.join(sorted(programs))} from {at:.2f} to {max(at, until):.2f}")
        kill = min(near, key=lambda kill: abs(kill.at - at))
        return Duplicate(first, again, window, f"first at {at:.2f}, {kill.program}[{kill.pid}] {kill.why} at {kill.at:.2f}, again at {again.at:.2f}")


def report(judge: Judge, duplicates: list[Duplicate], seconds: float) -> str:
    accepted = Counter(parcel.by for parcel in judge.parcels.values() if parcel.accepted)
    arrivals = Counter({destination: sum(len(copies) for (_, where), copies in judge.copies.items() if where == destination) for destination in ADDRESSES})
    lines = [f"{sum(accepted.values())} messages accepted in {seconds:.0f} s: " + ", ".join(f"{n} by {by}" for by, n in accepted.items()),
             "copies: " + ", ".join(f"{n} {destination}" for destination, n in arrivals.items()),
             f"{len(judge.kills)} kills: " + ", ".join(f"{n} {name}" for name, n in Counter(kill.program for kill in judge.kills).most_common()),
             f"lost: {len(judge.lost())}; pieces of a message left in a mailbox: {len(judge.pieces)}; duplicates: {len(duplicates)}, by window "
             + (", ".join(f"{n} ({window or 'none'})" for window, n in sorted(Counter(one.window for one in duplicates).items())) or "none")]
    return "\n".join(itertools.chain(lines, map(str, duplicates)))
