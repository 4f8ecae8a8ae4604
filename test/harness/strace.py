"""System call traces: taking them and reading them.

strace splits a call during which another process ran into an "<unfinished ...>" and a "resumed" half; reading
joins them.  Threads count as the process that made them, see Trace.process().
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .room import Room

_CALL = re.compile(r"(?P<name>[a-z_][a-z0-9_]*)\((?P<rest>.*)\Z", re.S)
_END = re.compile(r"(?P<args>.*)\)\s*= (?P<result>\S+.*)\Z", re.S)
_UNFINISHED = re.compile(r"(?P<head>.*?),? *<unfinished \.\.\.>(?:\)\s*= \?)?\Z", re.S)
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>\s*,?\s*(?P<rest>.*)\Z", re.S)
_FORKS = ("clone", "clone3", "fork", "vfork")
_ERRNO = re.compile(r"-1 (E[A-Z0-9]+)")


@dataclass(frozen=True)
class Call:
    pid: int
    """The thread's own number."""
    name: str
    args: str
    """As strace prints them, without the brackets."""
    result: str
    """What follows the equals sign."""
    at: int
    """Where the call ended, among all lines of the trace."""
    began: int

    @property
    def value(self) -> int:
        """The result as a number; -1 when there is none."""
        found = re.match(r"-?(?:0x[0-9a-f]+|\d+)", self.result)
        return int(found[0], 0) if found else -1

    @property
    def errno(self) -> str | None:
        found = _ERRNO.match(self.result)
        return found[1] if found else None

    @property
    def ok(self) -> bool:
        return self.value >= 0

    @property
    def fd(self) -> int | None:
        """The first argument, when that is a descriptor."""
        found = re.match(r"(\d+)(?:<[^>]*>)?(?:,|\Z)", self.args)
        return int(found[1]) if found else None

    def __str__(self) -> str:
        return f"{self.pid} {self.name}({self.args}) = {self.result}"


def parse(text: str) -> list[Call]:
    """The calls of a trace that `strace -f -o` wrote, in the order in which they ended."""
    calls: list[Call] = []
    open_halves: dict[int, tuple[str, int]] = {}
    for at, line in enumerate(text.split("\n")):
        pid_text, _, body = line.partition(" ")
        body = body.lstrip()
        if not pid_text.isdigit() or not body:
            continue
        pid, began = int(pid_text), at
        if resumed := _RESUMED.match(body):
            if pid not in open_halves:  # attached while the call was going on: only its end is known
                continue
            head, began = open_halves.pop(pid)
            joint = "" if head.endswith("(") or not resumed["rest"] or resumed["rest"].startswith(")") else ", "
            body = head + joint + resumed["rest"]
        elif half := _UNFINISHED.match(body):
            open_halves[pid] = (half["head"], at)
            continue
        call = _CALL.match(body)
        end = _END.match(call["rest"]) if call else None
        if call and end:
            calls.append(Call(pid, call["name"], end["args"], end["result"], at, began))
    return calls


@dataclass
class Trace:
    """CALLS of several processes.  PROGRAMS says what ran in those that were attached to, THREADS which
    thread belongs to which of them."""

    calls: list[Call]
    programs: dict[int, str] = field(default_factory=dict)
    threads: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parents: dict[int, int] = {}
        self._owner = dict(self.threads)
        self._program = dict(self.programs)
        self._forked_from: dict[int, str] = {}
        # A child's first calls may stand before the end of the fork that made it.
        for call in self.calls:
            if call.name in _FORKS and call.value > 0:
                if "CLONE_THREAD" in call.args:
                    self._owner[call.value] = call.pid
                else:
                    self.parents[call.value] = self.process(call.pid)
        for call in self.calls:
            if call.name == "execve" and call.ok:
                self._program[call.pid] = argv(call)[0].rsplit("/", 1)[-1] if argv(call) else ""

    @classmethod
    def load(cls, path: Path, programs: dict[int, str] | None = None, threads: dict[int, int] | None = None) -> Trace:
        return cls(parse(path.read_text(encoding="utf-8", errors="replace")), programs or {}, threads or {})

    def process(self, thread: int) -> int:
        """The process of which THREAD is part."""
        while self._owner.get(thread, thread) != thread:
            thread = self._owner[thread]
        return thread

    def program(self, pid: int) -> str:
        """What runs in PID; a child that has started nothing else counts as what its parent runs."""
        pid = self.process(pid)
        seen: set[int] = set()
        while pid not in self._program and pid in self.parents and pid not in seen:
            seen.add(pid)
            pid = self.process(self.parents[pid])
        return self._program.get(pid, "")

    def is_main_thread(self, call: Call) -> bool:
        return self.process(call.pid) == call.pid

    def of(self, program: str, *names: str) -> list[Call]:
        """The calls called NAMES (all, when none are given) of processes that run PROGRAM."""
        return [call for call in self.calls if (not names or call.name in names) and self.program(call.pid) == program]

    def execs(self) -> list[Call]:
        return [call for call in self.calls if call.name == "execve" and call.ok]

    def matching(self, pattern: str, calls: Iterable[Call] | None = None) -> list[Call]:
        """Calls whose "name(args) = result" the expression finds."""
        return [call for call in (self.calls if calls is None else calls) if re.search(pattern, f"{call.name}({call.args}) = {call.result}")]

    def changed(self, change: Callable[[Call], Call | None]) -> Trace:
        """A trace with each call as CHANGE returns it, or without it."""
        calls = [new for call in self.calls if (new := change(call)) is not None]
        return Trace([replace(call) for call in calls], self.programs, self.threads)


_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def argv(call: Call) -> list[str]:
    """The argument vector of an execve."""
    found = re.match(r'"(?:[^"\\]|\\.)*", \[(.*?)\](?:, |\Z)', call.args)
    return [_unescape(word) for word in _STRING.findall(found[1])] if found else []


def environment_size(call: Call) -> int:
    """How many variables an execve passes, however strace prints them."""
    if found := re.search(r"/\* (\d+) vars? \*/", call.args):
        return int(found[1])
    return len(environment(call))


def environment(call: Call) -> list[str]:
    """The variables of an execve; none when strace printed only their number."""
    found = re.match(r'"(?:[^"\\]|\\.)*", \[.*?\], \[(.*)\]\Z', call.args)
    return [_unescape(word) for word in _STRING.findall(found[1])] if found else []


def _unescape(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def path_of(call: Call) -> str | None:
    """The first file name among the arguments; of a rename, the old one."""
    found = _STRING.search(call.args)
    return found[1] if found else None


def strings(call: Call) -> list[str]:
    return _STRING.findall(call.args)


class Strace:
    """A running strace in a room; use as a context manager, then load()."""

    def __init__(self, room: Room, path: Path, *, attach: Iterable[int] = (), argv: Iterable[object] = (),
                 options: Iterable[str] = ("-f", "-s", "4096"), user: str = "root", input: bytes = b"") -> None:
        self.room, self.path = room, path
        self.programs: dict[int, str] = {}
        self.threads: dict[int, int] = {}
        self._pids = list(attach)
        for pid in self._pids:
            self.programs[pid] = room.path(f"/proc/{pid}/comm").read_text().strip()
            for task in room.path(f"/proc/{pid}/task").iterdir():
                self.threads[int(task.name)] = pid
        self._errors = path.with_name(path.name + ".err")
        inside = [word for pid in self._pids for word in ("-p", str(pid))]
        with self._errors.open("wb") as errors:
            self._job = room.spawn(["strace", *options, "-o", path, *inside, *argv], user=user, stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=errors)
        if self._pids:
            self._wait_attached()
        assert self._job.stdin
        self._job.stdin.write(input)
        self._job.stdin.close()

    def _wait_attached(self) -> None:
        for _ in range(1000):
            text = self._errors.read_text()
            if all(re.search(rf"Process {pid} attached", text) for pid in self._pids):
                return
            if self._job.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"strace did not attach: {self._errors.read_text()}")

    def wait(self, timeout: float = 30) -> int:
        """Waits for a traced command to end."""
        return self._job.wait(timeout)

    def stop(self) -> Trace:
        """Detaches, and returns what was seen."""
        if self._job.poll() is None:
            for line in self.room.run(["ps", "-e", "-o", "pid=,args="]).stdout.splitlines():
                pid, _, args = line.strip().partition(" ")
                if args.lstrip().startswith("strace ") and f"-o {self.path} " in args + " ":
                    self.room.run(["kill", "-INT", pid], check=False)
        try:
            self._job.wait(10)
        except subprocess.TimeoutExpired:
            self._job.kill()
            self._job.wait()
        return self.load()

    def load(self) -> Trace:
        return Trace.load(self.path, self.programs, self.threads)

    def __enter__(self) -> Strace:
        return self

    def __exit__(self, *_: object) -> None:
        if self._job.poll() is None:
            self.stop()
