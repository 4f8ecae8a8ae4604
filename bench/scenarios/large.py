"""H: one message with 50,000 recipients; 100 messages of 25 MB.  Both to smtp-sink."""

from __future__ import annotations

from pathlib import Path

import measure

from . import Cases, Plan, relay, take_turns

LETTER, TITLE = "H", "Many recipients, and large messages"
CONFIGURATION = (*relay.CONFIGURATION, "message_size_limit = 40000000", "smtpd_recipient_limit = 60000", "smtpd_timeout = 3600s")
SENT = ""  # is not looked for: the log cannot take so many lines at once, and ours gives them up rather than wait
IMAGE_MIB = 1536
LARGE = 25_000_000


def image(path: Path) -> Path:
    return measure.make_image(path, IMAGE_MIB)


def run(plan: Plan) -> Cases:
    recipients, large = plan.count(50000), measure.Load(plan.count(100) // 4 * 4, LARGE, 4, many=True)
    listed = measure.Load(1, 4096, 1, recipients=recipients)
    found: Cases = {}
    with measure.side_by_side(plan.tested("tuned"), CONFIGURATION, SENT, measure.SINK, image=image) as benches:
        for bench in benches:
            bench.source = measure.by_own_source
            bench.warm_up(measure.Load(plan.count(200), 4096, 20))
        found[f"1 message to {recipients} recipients, figures for each recipient"] = take_turns(benches, listed, plan)
        found[f"{large.messages} messages of {LARGE // 1000000} MB, 4 sessions"] = take_turns(benches, large, plan)
    return found
