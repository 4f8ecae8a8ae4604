"""What disturbs a measure and so has a run of its own: system calls, by strace, and the most memory, by looking often."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import measure

FLUSHES = ("fsync", "fdatasync", "syncfs", "sync", "msync")
_ROW = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(?P<calls>\d+) +(?:\d+ +)?(?P<name>\w+)$", re.M)


def pss_kib(bench: measure.Bench) -> int:
    """Of all processes of the system; what several share counts once."""
    total = 0
    for pid in bench.cpu.group.pids():
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:  # it has just ended
            continue
        found = re.search(r"^Pss: +(\d+)", text, re.M)
        total += int(found[1]) if found else 0
    return total


def peak_pss_mib(bench: measure.Bench, work: Callable[[], object]) -> float:
    most, over = pss_kib(bench), threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(0.1):
            most = max(most, pss_kib(bench))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        work()
    finally:
        over.set()
        looker.join()
    return round(max(most, pss_kib(bench)) / 1024, 2)


def _attached(pid: int) -> bool:
    try:
        return re.search(r"^TracerPid:\t0$", Path(f"/proc/{pid}/status").read_text(), re.M) is None
    except OSError:
        return True


def system_calls(bench: measure.Bench, work: Callable[[], object], file: Path) -> dict[str, int]:
    """How often each was called.  Threads and what is started meanwhile count too."""
    pids = bench.cpu.group.pids()
    tracer = subprocess.Popen(["strace", "-c", "-f", "-o", file, *(f"--attach={pid}" for pid in pids)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while not all(map(_attached, pids)):
        if tracer.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"{bench.name}: strace does not attach")
        time.sleep(0.05)
    try:
        work()
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    return {row["name"]: int(row["calls"]) for row in _ROW.finditer(file.read_text()) if row["name"] != "total"}


def per_message(bench: measure.Bench, load: measure.Load) -> dict[str, float]:
    """Of LOAD, which should be short.  Nothing where there are no control groups, which know a system's processes."""
    if not bench.cpu.group:
        return {}
    peak = peak_pss_mib(bench, lambda: bench.round(0, load))
    with measure.scratch() as folder:
        calls = system_calls(bench, lambda: bench.round(0, load), folder / "calls")
    return {"peak_pss_mib": peak, "syscalls_per_message": round(sum(calls.values()) / load.messages, 1),
            "flushes_per_message": round(sum(calls.get(name, 0) for name in FLUSHES) / load.messages, 3)}
