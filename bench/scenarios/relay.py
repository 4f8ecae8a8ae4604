"""B: own source --> system --> smtp-sink, until the sink has all."""

from __future__ import annotations

import measure

from . import Cases, Plan, take_turns

LETTER, TITLE = "B", "Mail is relayed"
CONFIGURATION = (f"relayhost = [{measure.SINK.split(':')[0]}]:{measure.SINK.split(':')[1]}", "mynetworks = 127.0.0.0/8")
SENT = r"/smtp\[\d+\]: \w+: to=<dave@example\.org>, .* status=sent"
MESSAGES, SIZE = 10000, 5120


def run(plan: Plan) -> Cases:
    found: Cases = {}
    with measure.side_by_side(plan.tested(), CONFIGURATION, SENT, measure.SINK) as benches:
        for bench in benches:
            bench.source = measure.by_own_source
            bench.warm_up(measure.Load(plan.count(500), SIZE, 20))
        for sessions in (20, 100):
            for many in (False, True):
                load = measure.Load(plan.count(MESSAGES), SIZE, sessions, many)
                found[str(load)] = take_turns(benches, load, plan, observed=300 if sessions == 20 else 0)
    return found
