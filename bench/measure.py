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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "test"))

from harness import paths, waybill  # noqa: E402
from harness.installed import Installed  # noqa: E402
from harness.oracle import Postfix  # noqa: E402

IMAGE_MIB = 512
CPUACCT = Path("/sys/fs/cgroup/cpuacct")


@dataclass(frozen=True)
class Load:
    """What the source sends: MESSAGES of SIZE bytes in SESSIONS sessions at a time, each for one message or for many."""

    messages: int
    size: int
    sessions: int
    many: bool = False

    def __str__(self) -> str:
        return f"{self.sessions} sessions, {'many messages' if self.many else 'one message'} each"


@dataclass(frozen=True)
class Round:
    system: str
    number: int
    seconds: float
    messages_per_second: float
    cpu_seconds_per_1000: float
    accepted_in: float
    """Seconds until the source had all its answers."""


class Cpu:
    """CPU seconds that a mail system has used: by its control group, or by adding up its processes."""

    def __init__(self, name: str) -> None:
        self.group = CPUACCT / f"waybill-bench-{name}-{os.getpid()}"
        self.how = "cpuacct"
        try:
            self.group.mkdir()
        except OSError:
            self.how = "processes"

    def start(self, system: Installed) -> None:
        system.write_configuration()
        join = f"echo $$ >{self.group}/tasks;" if self.how == "cpuacct" else ""
        system.run(["sh", "-c", f"{join} exec postfix start"])
        system.running = True

    def used(self, system: Installed) -> float:
        """So far.  Of what runs in the system's processes and those that they waited for."""
        if self.how == "cpuacct":
            return int((self.group / "cpuacct.usage").read_text()) / 1e9
        ticks = 0
        master = system.master_pid()
        for process in system.processes():
            if process.pid == master or process.parent == master:
                fields = system.room.path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
                ticks += sum(int(field) for field in fields[11:15])  # its own, and that of children it has waited for
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        if self.how == "cpuacct":
            for _ in range(50):
                try:
                    self.group.rmdir()
                    return
                except OSError:
                    time.sleep(0.1)


def make_image(path: Path) -> Path:
    """A journalled file system in a file whose blocks have all been written."""
    with path.open("wb") as file:
        for _ in range(IMAGE_MIB):
            file.write(bytes(1 << 20))
        os.fsync(file.fileno())
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", path], check=True)
    return path


class Bench:
    """One system, started once; the log says how a message ended by a line that SENT matches.  SINK is where an smtp-sink listens."""

    def __init__(self, name: str, kind: Callable[..., Installed], image: Path, configuration: Sequence[str], sent: str,
                 sink: str | None = None) -> None:
        self.name, self.sent = name, sent
        self.cpu = Cpu(name)
        self.system = kind(image=image)
        self.system.configure(configuration)
        self.cpu.start(self.system)
        if sink:
            self.system.spawn(["smtp-sink", "-u", "nobody", sink, "1000"], stdout=subprocess.DEVNULL)
        time.sleep(1)

    def send(self, load: Load) -> None:
        self.system.run(["smtp-source", *(["-d"] if load.many else []), "-s", load.sessions, "-m", load.messages, "-l", load.size,
                         "-f", "carol@mx.test.invalid", "-t", "dave@example.org", "127.0.0.1:25"], timeout=3600)

    def drain(self) -> None:
        """Waits until the queue is empty; mail that must wait would spoil the measure."""
        until = time.monotonic() + 600
        while any(files for queue, files in self.system.queue().items() if queue != "deferred"):
            if time.monotonic() > until:
                raise SystemExit(f"{self.name}: the queue does not empty\n{self.system.log.text()[-3000:]}")
            time.sleep(0.05)
        if self.system.queue()["deferred"]:
            raise SystemExit(f"{self.name}: mail was deferred\n{self.system.log.text()[-3000:]}")

    def expect_sent(self, messages: int) -> None:
        """The log reader may be a little behind."""
        until = time.monotonic() + 10
        while (sent := len(self.system.log.find(self.sent))) < messages and time.monotonic() < until:
            time.sleep(0.1)
        if sent != messages:
            raise SystemExit(f"{self.name}: {sent} of {messages} messages are logged as sent")

    def warm_up(self, load: Load) -> None:
        """Fills caches and loads programs."""
        self.system.log.mark()
        self.send(load)
        self.drain()
        self.expect_sent(load.messages)

    def round(self, number: int, load: Load) -> Round:
        messages = load.messages
        self.system.log.mark()
        used, began = self.cpu.used(self.system), time.monotonic()
        self.send(load)
        accepted = time.monotonic() - began
        self.drain()
        seconds = time.monotonic() - began
        time.sleep(0.5)  # what is left to do after the last message counts too
        cpu = self.cpu.used(self.system) - used
        self.expect_sent(messages)
        return Round(self.name, number, round(seconds, 3), round(messages / seconds, 1), round(cpu * 1000 / messages, 3), round(accepted, 3))

    def close(self) -> None:
        self.system.stop()
        self.system.close()
        self.cpu.close()


# ---- several systems side by side

def parser(usage: str | None, program: str) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    made = argparse.ArgumentParser(usage=usage)
    made.add_argument("--system", choices=("both", "all", "postfix", "tuned", "waybill"), default="both")
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


# What Postfix's own tuning guide offers for speed: nothing held back, and as much at a time as the machine can bear.
TUNED = ("default_process_limit = 200", "in_flow_delay = 0", "default_destination_concurrency_limit = 100")


def wanted(options: argparse.Namespace) -> dict[str, Subject]:
    subjects = {"postfix": Subject(Postfix), "tuned": Subject(Postfix, TUNED), "waybill": Subject(waybill.Waybill)}
    names = {"both": ["postfix", "waybill"], "all": list(subjects)}.get(options.system, [options.system])
    if "waybill" in names and (missing := waybill.missing()):
        print(f"Waybill is left out, not built: {' '.join(missing)}", file=sys.stderr)
        names.remove("waybill")
    found = {name: subjects[name] for name in names}
    if options.ours:
        found["mixed"] = Subject(functools.partial(Postfix, swapped={name: paths.our_program(name) for name in options.ours}))
    return found


@contextmanager
def side_by_side(options: argparse.Namespace, configuration: Sequence[str], sent: str, sink: str | None = None) -> Iterator[list[Bench]]:
    benches: list[Bench] = []
    with tempfile.TemporaryDirectory(prefix="waybill-bench.", dir="/var/tmp") as scratch:
        try:
            for name, subject in wanted(options).items():
                image = make_image(Path(scratch) / f"{name}.ext4")
                benches.append(Bench(name, subject.kind, image, [*configuration, *subject.main, *options.main], sent, sink))
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
    print(f"{'system':10} {'round':>5} {'messages/s':>11} {'CPU s/1000':>11} {'accepted s':>11} {'emptied s':>10}")
    for one in rounds:
        print(f"{one.system:10} {one.number:5} {one.messages_per_second:11.1f} {one.cpu_seconds_per_1000:11.3f} {one.accepted_in:11.2f} {one.seconds:10.2f}")
    for name, median in found.items():
        print(f"{name:10} {'med.':>5} {median['messages_per_second']:11.1f} {median['cpu_seconds_per_1000']:11.3f}")
    for name, ratio in compared.items():
        print(f"{name} : postfix   messages/s {ratio['messages_per_second']:.2f}   CPU per message {ratio['cpu_seconds_per_1000']:.2f}")
    return {**asdict(load), "rounds": [asdict(one) for one in rounds], "medians": found, "ratios": compared}


def save(path: Path, result: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"also in {path}")
