"""A: own source --> system --> discard(8).  OpenSMTPD has none: there mail waits, and is removed after each round, uncounted."""

from __future__ import annotations

import measure

from . import Cases, Plan, take_turns

LETTER, TITLE = "A", "Mail is accepted and discarded"
# Without the pause of a second that cleanup makes when mail arrives faster than qmgr takes it: it comes by chance in some rounds.
CONFIGURATION = ("default_transport = discard:", "mynetworks = 127.0.0.0/8", "in_flow_delay = 0")
SENT = r"/discard\[\d+\]: \w+: to=<dave@example\.org>, .* status=sent"
KINDS = ((4096, 3000), (102400, 1500))  # bytes, messages


def name(load: measure.Load) -> str:
    return f"{load.size // 1024} KiB, {load}"


def run(plan: Plan) -> Cases:
    found: Cases = {}
    with measure.side_by_side(plan.tested(), CONFIGURATION, SENT) as benches:
        for bench in benches:
            bench.source = measure.by_own_source
            bench.warm_up(measure.Load(plan.count(500), 4096, 20))
        for size, messages in KINDS:
            for sessions in (1, 20, 100):
                for many in (False, True):
                    load = measure.Load(plan.count(messages if sessions > 1 else messages // 2), size, sessions, many)
                    found[name(load)] = take_turns(benches, load, plan, observed=300 if size == 4096 and sessions == 20 else 0)
    return found
