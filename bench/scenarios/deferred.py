"""E: deferred messages that are not due, and one that is: start, memory, listings, idling, restart, hold, release and delete.

The queue is made once, and each system gets a copy of it on a file system that has just been mounted: its metadata is not in
memory, the blocks of the image are.  That is the first start, without anything that an earlier one has left.  The restart is
after a stop of the same system, and is colder: the blocks of the image are not in memory either.  The row "floor" is what the
file system takes by itself (../floor.c)."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import measure
from harness import waiting
from harness.installed import Installed
from subjects import SUBJECTS

from . import Cases, Figures, Plan

LETTER, TITLE = "E", "Mail is deferred"
CONFIGURATION = ("relayhost = [127.0.0.1]:2600",)
COUNTS = (20_000, 100_000)
MILLION = 1_000_000
ROUNDS = 3  # of hold and release
SOON_S = 10
QUEUE = "/var/spool/postfix"
KEPT = "/var/lib/postfix/queue-index"
ACTS = {"h": "hold", "H": "release", "d": "delete"}  # of postsuper, and their names in ../floor.c
LOOK_AT_ALL = "find deferred defer -size +0 >/dev/null"  # so that all begin with the same in memory


def fill(system: Installed, count: int) -> None:
    """COUNT messages to as many recipients at a thousand places, with the reasons why they wait; the last one is due, and the one
    before it to the same user."""
    waiting.fill(system.spool, count - 2)
    waiting.put(system.spool, count - 2, "alice@mx.test.invalid", due=time.time() + waiting.HOURS)
    waiting.put(system.spool, count - 1, "alice@mx.test.invalid", due=time.time() - 10)


def queue_manager_kib(system: Installed) -> int:
    """Its private memory."""
    while not (pids := system.children("qmgr")):
        time.sleep(0.05)
    rollup = system.room.path(f"/proc/{pids[0]}/smaps_rollup").read_text()
    return sum(int(found) for found in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.M))


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return round(time.monotonic() - began, 3)


def listing(system: Installed, option: str, count: int) -> tuple[float, float]:
    """To the first line and to the end.  There must be COUNT messages in it."""
    began = time.monotonic()
    job = system.spawn(["postqueue", option], stdout=subprocess.PIPE)
    assert job.stdout
    text = [job.stdout.readline()]
    first = time.monotonic() - began
    while piece := job.stdout.read(1 << 20):
        text.append(piece)
    status, took = job.wait(), time.monotonic() - began
    listed = b"".join(text).count(b"carol@mx.test.invalid")
    if status != 0 or listed != count:
        raise SystemExit(f"postqueue {option}: status {status}, {listed} of {count} messages")
    return round(first, 3), round(took, 3)


def until_delivered(system: Installed, cpu: measure.Cpu) -> float:
    before, began = len(system.mailbox("alice")), time.monotonic()
    cpu.start(system)
    while len(system.mailbox("alice")) == before:
        time.sleep(0.005)
    return round(time.monotonic() - began, 3)


def forget(path: Path) -> None:
    """PATH's blocks are not in memory any more."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def mount_again(system: Installed, image: Path) -> None:
    device = subprocess.run(["losetup", "-f", "--show", image], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    number = device.removeprefix("/dev/loop")
    system.room.shell(f"[ -b {device} ] || mknod {device} b 7 {number}; mount {device} {QUEUE}")
    subprocess.run(["losetup", "-d", device], check=True)  # it goes when it is not mounted any more


def until_delivered_again(system: Installed, cpu: measure.Cpu, image: Path, count: int) -> float:
    """From a start after a stop, with nothing of the queue in memory, to the delivery of what became due meanwhile."""
    (file,) = (system.spool / "deferred").glob(f"*/{(count - 2) * 7919 % 1000000:05X}*")
    due = time.time() + SOON_S
    os.utime(file, (due, due))
    time.sleep(2)
    system.stop()
    system.room.shell(f"umount {QUEUE}")
    forget(image)
    if system.room.path(KEPT).exists():
        forget(system.room.path(KEPT))
    mount_again(system, image)
    time.sleep(max(0, due - time.time()))
    return until_delivered(system, cpu)


def until_done(system: Installed, act: str) -> float:
    system.room.shell(f"sync -f {QUEUE}")
    return seconds(lambda: system.run(["postsuper", f"-{act}", "ALL"], timeout=3600))


def acted(do: Callable[[str], float]) -> Figures:
    """Each message is held and released some times, and deleted once."""
    found: dict[str, list[float]] = {act: [] for act in ACTS}
    for act in ("h", "H") * ROUNDS + ("d",):
        found[act].append(do(act))
    return {f"postsuper_{act}_all_s": statistics.median(times) for act, times in found.items()}


def floor(image: Path) -> Figures:
    """The same without any mail system."""
    program, folder = measure.built(measure.REPO / "bench/floor.c"), image.with_name("floor.mounted")
    folder.mkdir()
    script = f"mount -o loop {image} {folder}; cd {folder}; {LOOK_AT_ALL}; while read -r act; do sync -f .; {program} $act; done"
    with subprocess.Popen(["unshare", "-m", "sh", "-ec", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdin and job.stdout

        def do(act: str) -> float:
            print(ACTS[act], file=job.stdin, flush=True)
            return float(job.stdout.readline())

        return acted(do)


def settled_kib(system: Installed) -> int:
    """When it does not grow any more."""
    before = -1
    while (now := queue_manager_kib(system)) != before:
        before = now
        time.sleep(2)
    return now


def idle_cpu(system: Installed, cpu: measure.Cpu, wait_s: float) -> float:
    used = cpu.used(system)
    time.sleep(wait_s)
    return round((cpu.used(system) - used) * 60 / wait_s, 4)


def filled_image(path: Path, count: int) -> Path:
    """An image with a queue of COUNT; any system can use it."""
    image = measure.make_image(path, 300 + count * 12 // 1000, inodes=2 * count + 10000)
    subject = SUBJECTS["waybill"]
    system = subject.kind(image=image)
    try:
        system.configure(CONFIGURATION)
        system.start()
        system.stop()
        fill(system, count)
    finally:
        system.close()
    return image


def empty_kib(subject: measure.Subject, name: str) -> int:
    """Of a queue manager with nothing to do."""
    system, cpu = subject.kind(), measure.Cpu(f"{name}-empty")
    try:
        system.configure(CONFIGURATION)
        cpu.start(system)
        return settled_kib(system)
    finally:
        system.stop()
        system.close()
        cpu.close()


def measure_one(name: str, subject: measure.Subject, image: Path, count: int, idle_s: float) -> Figures:
    empty = empty_kib(subject, name)
    system, cpu = subject.kind(image=image), measure.Cpu(name)
    try:
        system.configure([*CONFIGURATION, *subject.main])
        found: Figures = {"start_to_first_delivery_s": until_delivered(system, cpu)}
        found["qmgr_bytes_per_message"] = round((settled_kib(system) - empty) * 1024 / count, 1)
        found["idle_cpu_s_per_minute"] = idle_cpu(system, cpu, idle_s)
        found["postqueue_p_first_line_s"], found["postqueue_p_s"] = listing(system, "-p", count - 1)
        found["postqueue_j_first_line_s"], found["postqueue_j_s"] = listing(system, "-j", count - 1)
        found["restart_to_first_delivery_s"] = until_delivered_again(system, cpu, image, count)
        settled_kib(system)
        system.room.shell(f"cd {QUEUE}; {LOOK_AT_ALL}", timeout=3600)
        return {**found, **acted(lambda act: until_done(system, act))}
    finally:
        system.stop()
        system.close()
        cpu.close()


def compare(tested: dict[str, measure.Subject], count: int, idle_s: float) -> dict[str, Figures]:
    found = {}
    with measure.scratch() as folder:
        filled, image = filled_image(folder / "filled", count), folder / "copy"
        for name, subject in tested.items():
            shutil.copyfile(filled, image)
            found[name] = measure_one(name, subject, image, count, idle_s)
        shutil.copyfile(filled, image)
        found["floor"] = floor(image)
    return found


def run(plan: Plan) -> Cases:
    """Once: each takes minutes."""
    idle_s = 2 if plan.quick else 20
    tested = plan.tested("tuned", "opensmtpd")
    found = {f"{count} messages": compare(tested, plan.standing(count), idle_s) for count in COUNTS}
    if plan.million:
        found[f"{MILLION} messages"] = compare({"waybill": tested["waybill"]}, plan.standing(MILLION), idle_s)
    return found
