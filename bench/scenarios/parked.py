"""D: sessions that have said EHLO and then nothing.  Postfix has a process for each: as many as its limit allows, less ten."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import measure
import observe

from . import Cases, Figures, Plan

LETTER, TITLE = "D", "Sessions are parked after EHLO"
# So many that neither the limit nor the stress of being near it is reached; Postfix does not know that parameter.  Nobody is put off
# for coming often, and nobody is sent away meanwhile.
CONFIGURATION = ("default_transport = discard:", "smtpd_client_connection_count_limit = 0", "smtpd_timeout = 3600s")
OURS = ("default_session_limit = 20000",)
COUNTS = (1000, 5000, 10000)
MOST = {"postfix": 90, "tuned": 190}
NEWCOMERS = 20


@contextmanager
def parked(bench: measure.Bench, count: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """As many sessions as it could get, and the program that holds them."""
    patience = ["-g", 4] if bench.name == "opensmtpd" else []
    job = bench.system.spawn([measure.load_program(), "-p", count, *patience, "127.0.0.1", 25], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    assert job.stdin and job.stdout
    try:
        yield int(job.stdout.readline()), job
    finally:
        job.stdin.close()
        job.wait()


def greeting_ms(job: subprocess.Popen[bytes]) -> float:
    """The longest that one of some newcomers had to wait; infinite: one was not greeted."""
    assert job.stdin and job.stdout
    worst = 0.0
    for _ in range(NEWCOMERS):
        job.stdin.write(b"\n")
        job.stdin.flush()
        took_us = int(job.stdout.readline())
        worst = max(worst, float("inf") if took_us < 0 else took_us / 1000)
    return round(worst, 2)


def measured(bench: measure.Bench, count: int) -> Figures:
    before = observe.pss_kib(bench)
    with parked(bench, count) as (have, job):
        time.sleep(1)  # what is done after the answer counts too
        memory = observe.pss_kib(bench) - before
        greeted = greeting_ms(job)
    return {"sessions": have, "kib_per_session": round(memory / max(have, 1), 2), "worst_greeting_ms": greeted}


def settle(bench: measure.Bench) -> None:
    """A session has been served, and those that were parked are gone."""
    with parked(bench, 1):
        time.sleep(1)


def run(plan: Plan) -> Cases:
    found: Cases = {}
    tested = {name: measure.Subject(one.kind, (*one.main, *(OURS if name == "waybill" else ())))
              for name, one in plan.tested().items()}
    for count in COUNTS[:1] if plan.quick else COUNTS:
        case = found[f"{count} sessions"] = {}
        # A system that is new each time: memory that was used once is kept.
        with measure.side_by_side(tested, CONFIGURATION, "", image=lambda path: measure.make_image(path, 64)) as benches:
            for bench in benches:
                settle(bench)
                case[bench.name] = measured(bench, min(plan.standing(count), MOST.get(bench.name, count)))
    return found
