"""What the benchmarks share: systems that take turns in private rooms, their CPU and memory, and the comparison.

The queue is on a journalled ext4 image.  A round ends when the queue is empty again.  CPU is that of the whole mail system, with
the children that have ended, and without the source, the sink and the log reader."""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.append(str(REPO / "test"))  # behind, since there are other scenarios there

from harness.installed import Installed  # noqa: E402

CONTROLLERS = Path("/sys/fs/cgroup")
SYSTEM_SHARES, PEER_SHARES = 8192, 4096  # a process of its own has 1024
SINK = "127.0.0.1:2600"


@dataclass(frozen=True)
class Load:
    """What the source sends: MESSAGES of SIZE bytes in SESSIONS sessions at a time, each for one message or for many."""

    messages: int
    size: int
    sessions: int
    many: bool = False
    to: Sequence[str] = ("dave@example.org",)
    recipients: int = 1

    def __str__(self) -> str:
        return f"{self.sessions} session{'s'[:self.sessions != 1]}, {'many messages' if self.many else 'one message'} each"


@dataclass(frozen=True)
class Round:
    system: str
    number: int
    seconds: float
    messages_per_second: float
    cpu_seconds_per_1000: float
    accepted_in: float
    """Seconds until the source had all its answers."""
    source_cpu_per_1000: float = 0
    sink_cpu_per_1000: float = 0
    processors_busy: float = 0
    """While the source was at work, by whatever, the kernel's own threads included."""


class Group:
    """Control groups that count CPU and give it fairly, or none where the machine has none.  Fairly: a system with a hundred
    processes would get more of a busy machine than one with five."""

    def __init__(self, name: str, shares: int) -> None:
        self._folders = [made for made in (self._make(controller, name) for controller in ("cpuacct", "cpu")) if made]
        for folder in self._folders:
            if (folder / "cpu.shares").exists():
                (folder / "cpu.shares").write_text(str(shares))
        self._counter = next((folder for folder in self._folders if (folder / "cpuacct.usage").exists()), None)

    @staticmethod
    def _make(controller: str, name: str) -> Path | None:
        folder = CONTROLLERS / controller / f"waybill-bench-{name}-{os.getpid()}"
        try:
            folder.mkdir(exist_ok=True)  # one may be a link to the other
        except OSError:
            return None
        return folder

    def __bool__(self) -> bool:
        return self._counter is not None

    def within(self, argv: Sequence[object]) -> list[object]:
        """The command that runs ARGV in them."""
        join = "".join(f"echo $$ >{folder}/tasks; " for folder in self._folders)
        return ["sh", "-c", f'{join}exec "$@"', "sh", *argv]

    def used(self) -> float:
        return int((self._counter / "cpuacct.usage").read_text()) / 1e9 if self._counter else 0

    def pids(self) -> list[int]:
        """As this machine numbers them."""
        return [int(pid) for pid in (self._counter / "cgroup.procs").read_text().split()] if self._counter else []

    def close(self) -> None:
        for folder in self._folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.1)


class Cpu:
    """CPU seconds that a mail system has used: by its control group, or by adding up its processes."""

    def __init__(self, name: str) -> None:
        self.group = Group(name, SYSTEM_SHARES)
        self.how = "cpuacct" if self.group else "processes"

    def start(self, system: Installed) -> None:
        system.write_configuration()
        system.run(self.group.within(getattr(system, "START", ("postfix", "start"))))
        system.running = True

    def used(self, system: Installed) -> float:
        """So far.  Of what runs in the system's processes and those that they waited for."""
        if self.group:
            return self.group.used()
        ticks = 0
        master = system.master_pid()
        for process in system.processes():
            if process.pid == master or process.parent == master:
                fields = system.room.path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
                ticks += sum(int(field) for field in fields[11:15])  # its own, and that of children it has waited for
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.group.close()


def machine_cpu() -> float:
    """Seconds that all processors have worked since the machine was started."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def make_image(path: Path, mib: int = 512, *, inodes: int = 0) -> Path:
    """A journalled file system in a file whose blocks have all been written."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(bytes(1 << 20))
        os.fsync(file.fileno())
    more = ["-N", str(inodes)] if inodes else []
    subprocess.run(["mkfs.ext4", "-q", "-F", *more, "-E", "lazy_itable_init=0,lazy_journal_init=0", path], check=True)
    return path


def has_entries(folder: Path) -> bool:
    """Of files, not of folders by the first letter of a name."""
    try:
        with os.scandir(folder) as entries:
            return any(len(entry.name) > 1 for entry in entries)
    except FileNotFoundError:
        return False


@functools.cache
def built(source: Path, *libraries: str) -> Path:
    """The program that SOURCE is, compiled when it is newer."""
    program = REPO / "build/bench" / source.stem
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        found = [subprocess.run(["pkg-config", "--cflags", "--libs", name], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
                 for name in libraries]
        new = program.with_name(f"{program.name}.{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", new, source, *sum(found, [])], check=True)
        new.replace(program)
    return program


def load_program() -> Path:
    return built(REPO / "bench/load.c")


def by_smtp_source(bench: Bench, load: Load) -> dict[str, float]:
    bench.run_source(["smtp-source", *(["-d"] if load.many else []), "-s", load.sessions, "-m", load.messages, "-l", load.size,
                      "-f", "carol@mx.test.invalid", "-t", load.to[0], "127.0.0.1:25"])
    return {}


def by_own_source(bench: Bench, load: Load) -> dict[str, float]:
    """bench/load.c.  OpenSMTPD listens with a backlog of 5: connections that find it full are dropped and come again after a second."""
    patience = ["-g", 4] if bench.name == "opensmtpd" else []
    return dict(json.loads(bench.run_source([load_program(), *(["-d"] if load.many else []), *patience, "-s", load.sessions, "-m", load.messages,
                                             "-l", load.size, "-r", load.recipients, "-t", ",".join(load.to), "127.0.0.1", 25])))


class Bench:
    """One system, started once; the log says how a message ended by a line that SENT matches, if it is asked.  SINK is where an
    smtp-sink listens."""

    def __init__(self, name: str, kind: Callable[..., Installed], image: Path, configuration: Sequence[str], sent: str,
                 sink: str | None = None) -> None:
        self.name, self.sent = name, sent
        self.source: Callable[[Bench, Load], dict[str, float]] = by_smtp_source
        self.cpu, self.sink_cpu, self.source_cpu = Cpu(name), Group(f"{name}-sink", PEER_SHARES), Group(f"{name}-source", PEER_SHARES)
        self.system = kind(image=image)
        self.system.configure(configuration)
        self.start()
        if sink:
            self.system.spawn(self.sink_cpu.within(["smtp-sink", "-u", "nobody", sink, "1000"]), stdout=subprocess.DEVNULL)
        time.sleep(1)

    def start(self) -> None:
        self.cpu.start(self.system)
        if hasattr(self.system, "started"):
            time.sleep(1)
            self.system.started()

    def run_source(self, argv: Sequence[object]) -> str:
        return str(self.system.run(self.source_cpu.within(argv), timeout=3600).stdout)

    def busy(self) -> bool:
        if hasattr(self.system, "busy"):
            return bool(self.system.busy())
        return any(has_entries(self.system.spool / name) for name in ("maildrop", "incoming", "active"))

    def drain(self) -> None:
        """Waits until the queue is empty; mail that must wait would spoil the measure."""
        until = time.monotonic() + 900
        while self.busy():
            if time.monotonic() > until:
                raise SystemExit(f"{self.name}: the queue does not empty\n{self.system.log.text()[-3000:]}")
            time.sleep(0.02)
        if self.system.queue()["deferred"]:
            raise SystemExit(f"{self.name}: mail was deferred\n{self.system.log.text()[-3000:]}")

    def expect_sent(self, messages: int) -> None:
        """The log reader may be a little behind.  Ours gives up lines rather than wait for a log that does not take them, and says so."""
        if not self.sent:
            return
        if self.name == "opensmtpd":  # another log; what it has not sent is still in its queue
            self.system.forget_waiting()  # type: ignore[attr-defined]
            return
        until = time.monotonic() + 10
        while (sent := len(self.system.log.find(self.sent))) < messages and time.monotonic() < until:
            time.sleep(0.1)
        lost = sum(int(found[1]) for found in self.system.log.find(r"warning: (\d+) log lines were lost"))
        if lost:
            print(f"{self.name}: {lost} log lines were lost", file=sys.stderr)
        if not sent <= messages <= sent + lost:
            raise SystemExit(f"{self.name}: {sent} of {messages} messages are logged as sent")

    def warm_up(self, load: Load) -> None:
        """Fills caches and loads programs."""
        self.round(0, load)

    def round(self, number: int, load: Load) -> Round:
        messages = load.messages * load.recipients
        self.system.log.mark()
        used, sunk, began = self.cpu.used(self.system), self.sink_cpu.used(), time.monotonic()
        worked = machine_cpu()
        said = self.source(self, load)
        busy = (machine_cpu() - worked) / (time.monotonic() - began)
        accepted = said.get("seconds", time.monotonic() - began)
        self.drain()
        seconds = time.monotonic() - began
        time.sleep(0.5)  # what is left to do after the last message counts too
        cpu = self.cpu.used(self.system) - used + said.get("commands_cpu_s", 0)
        sunk = self.sink_cpu.used() - sunk
        self.expect_sent(messages)
        return Round(self.name, number, round(seconds, 3), round(messages / seconds, 1), round(cpu * 1000 / messages, 3),
                     round(accepted, 3), round(said.get("cpu_s", 0) * 1000 / messages, 3), round(sunk * 1000 / messages, 3), round(busy, 2))

    def close(self) -> None:
        self.system.stop()
        self.system.close()
        self.cpu.close()
        self.sink_cpu.close()
        self.source_cpu.close()


# ---- several systems side by side

def parser(usage: str | None, program: str) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    made = argparse.ArgumentParser(usage=usage)
    made.add_argument("--system", choices=("both", "all", "postfix", "tuned", "opensmtpd", "waybill"), default="both")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--with", dest="ours", action="append", default=[])
    made.add_argument("--main", action="append", default=[])
    made.add_argument("--json", type=Path, default=REPO / f"build/bench/{program}.json")
    return made


def refuse_without_root(program: str) -> None:
    if os.geteuid() != 0:
        print(f"bench/{program}: needs root, for private namespaces and loop devices", file=sys.stderr)
        raise SystemExit(77)


@dataclass(frozen=True)
class Subject:
    """A system under test: how it is made, and the main.cf lines that are its own."""

    kind: Callable[..., Installed]
    main: Sequence[str] = ()


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="waybill-bench.", dir="/var/tmp") as folder:
        yield Path(folder)


@contextmanager
def side_by_side(tested: Mapping[str, Subject], configuration: Sequence[str], sent: str, sink: str | None = None, *,
                 image: Callable[[Path], Path] = make_image) -> Iterator[list[Bench]]:
    """IMAGE makes the disk of a queue, at the path given or elsewhere."""
    benches: list[Bench] = []
    with scratch() as folder:
        try:
            for name, subject in tested.items():
                disk = image(folder / f"{name}.ext4")
                benches.append(Bench(name, subject.kind, disk, [*configuration, *subject.main], sent, sink))
            yield benches
        finally:
            for bench in benches:
                bench.close()


def take_turns(benches: list[Bench], load: Load, rounds: int) -> list[Round]:
    return [bench.round(number, load) for number in range(1, rounds + 1) for bench in benches]


def medians(rounds: list[Round]) -> dict[str, dict[str, float]]:
    found = {}
    for name in dict.fromkeys(one.system for one in rounds):
        mine = [one for one in rounds if one.system == name]
        found[name] = {"messages_per_second": statistics.median(one.messages_per_second for one in mine),
                       "cpu_seconds_per_1000": statistics.median(one.cpu_seconds_per_1000 for one in mine)}
    return found


def ratios(found: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Of each system to Debian's Postfix."""
    base = found.get("postfix", {})
    return {name: {key: round(mine[key] / base[key], 3) for key in base} for name, mine in found.items() if base and name != "postfix"}


def show(load: Load, rounds: list[Round]) -> dict[str, object]:
    """Prints one comparison, and gives it as what goes into the JSON."""
    found = medians(rounds)
    compared = ratios(found)
    print(f"{load.messages} messages of {load.size} bytes, {load}")
    print(f"{'system':10} {'round':>5} {'messages/s':>11} {'CPU s/1000':>11} {'accepted s':>11} {'emptied s':>10} {'processors':>10}")
    for one in rounds:
        print(f"{one.system:10} {one.number:5} {one.messages_per_second:11.1f} {one.cpu_seconds_per_1000:11.3f} "
              f"{one.accepted_in:11.2f} {one.seconds:10.2f} {one.processors_busy:10.2f}")
    for name, median in found.items():
        print(f"{name:10} {'med.':>5} {median['messages_per_second']:11.1f} {median['cpu_seconds_per_1000']:11.3f}")
    for name, ratio in compared.items():
        print(f"{name} : postfix   messages/s {ratio['messages_per_second']:.2f}   CPU per message {ratio['cpu_seconds_per_1000']:.2f}")
    return {**asdict(load), "rounds": [asdict(one) for one in rounds], "medians": found, "ratios": compared}


def save(path: Path, result: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"also in {path}")
