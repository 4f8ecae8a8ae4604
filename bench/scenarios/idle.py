"""The whole system while nothing happens: after its start, and after some mail."""

from __future__ import annotations

import time

import measure
import observe

from . import Cases, Figures, Plan, relay

LETTER, TITLE = "idle", "The whole system is idle"
MESSAGES = 200


def idle(bench: measure.Bench, wait_s: float) -> Figures:
    memory, used = observe.pss_kib(bench), bench.cpu.used(bench.system)
    time.sleep(wait_s)
    return {"pss_mib": round(memory / 1024, 2), "processes": len(bench.cpu.group.pids()),
            "idle_cpu_s_per_minute": round((bench.cpu.used(bench.system) - used) * 60 / wait_s, 4)}


def run(plan: Plan) -> Cases:
    wait_s = 2 if plan.quick else 20
    found: Cases = {"after start": {}, f"after {MESSAGES} messages in 20 sessions": {}}
    started, after = found.values()
    for name, subject in plan.tested().items():  # one at a time: what two have in common would count as half
        with measure.side_by_side({name: subject}, relay.CONFIGURATION, relay.SENT, measure.SINK) as (bench,):
            bench.source = measure.by_own_source
            time.sleep(3)
            started[name] = idle(bench, wait_s)
            bench.round(0, measure.Load(MESSAGES, 4096, 20))
            after[name] = idle(bench, wait_s)
    return found
