"""E: deferred messages that are not due, and one that is: start, memory, listings, idling, hold, release and delete.

The queue is made once, and each system gets a copy of it on a file system that has just been mounted: its metadata is not in
memory, the blocks of the image are."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import measure
from harness import waiting
from harness.installed import Installed

from . import Cases, Figures, Plan

LETTER, TITLE = "E", "Mail is deferred"
CONFIGURATION = ("relayhost = [127.0.0.1]:2600",)
COUNTS = (20_000, 100_000)
MILLION = 1_000_000


def fill(system: Installed, count: int) -> None:
    """COUNT messages to as many recipients at a thousand places, with the reasons why they wait; the last one is due."""
    waiting.fill(system.spool, count - 1)
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
    began = time.monotonic()
    cpu.start(system)
    while not system.mailbox("alice"):
        time.sleep(0.005)
    return round(time.monotonic() - began, 3)


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
    subject = measure.subjects()["waybill"]
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
        for act in ("-h", "-H", "-d"):
            found[f"postsuper_{act[1]}_all_s"] = seconds(lambda: system.run(["postsuper", act, "ALL"], timeout=3600))
        return found
    finally:
        system.stop()
        system.close()
        cpu.close()


def compare(tested: dict[str, measure.Subject], count: int, idle_s: float) -> dict[str, Figures]:
    found = {}
    with measure.scratch() as folder:
        filled = filled_image(folder / "filled", count)
        for name, subject in tested.items():
            image = folder / name
            shutil.copyfile(filled, image)
            found[name] = measure_one(name, subject, image, count, idle_s)
            image.unlink()
    return found


def run(plan: Plan) -> Cases:
    """Once: each takes minutes."""
    idle_s = 2 if plan.quick else 20
    tested = plan.tested("tuned", "opensmtpd")
    found = {f"{count} messages": compare(tested, plan.standing(count), idle_s) for count in COUNTS}
    if plan.million:
        found[f"{MILLION} messages"] = compare({"waybill": tested["waybill"]}, plan.standing(MILLION), idle_s)
    return found
