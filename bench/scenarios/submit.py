"""C: sendmail(1), 1 and 8 at a time --> system --> Maildir.  CPU is that of the daemons and of every sendmail and postdrop."""

from __future__ import annotations

import json

import measure

from . import Cases, Plan, take_turns

LETTER, TITLE = "C", "Mail is submitted on the machine itself"
CONFIGURATION = ("home_mailbox = Maildir/", "in_flow_delay = 0")
SENT = r"/local\[\d+\]: \w+: to=<alice@mx\.test\.invalid>, .* status=sent"
MESSAGES, SIZE = 1000, 4096

# Runs beside the system; prints the CPU seconds of what it started.  spawn() costs the parent, not the child.
DRIVER = """
import json, os, resource, sys, time
messages, at_once, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
running = started = 0
began = time.monotonic()
while started < messages or running:
    while started < messages and running < at_once:
        os.posix_spawn("/usr/sbin/sendmail", ["sendmail", "-i", "-f", "carol@mx.test.invalid", "alice"], os.environ,
                       file_actions=[(os.POSIX_SPAWN_OPEN, 0, file, os.O_RDONLY, 0)])
        started, running = started + 1, running + 1
    if os.wait()[1] != 0:
        sys.exit("sendmail failed")
    running -= 1
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"seconds": time.monotonic() - began, "commands_cpu_s": used.ru_utime + used.ru_stime}))
"""


def by_sendmail(bench: measure.Bench, load: measure.Load) -> dict[str, float]:
    return dict(json.loads(bench.run_source(["/usr/bin/python3", "-c", DRIVER, load.messages, load.sessions, "/root/message"])))


def prepare(bench: measure.Bench, size: int) -> None:
    bench.system.room.write("/root/message", "Subject: bench\n\n" + ("x" * 63 + "\n") * (size // 64))
    bench.source = by_sendmail


def run(plan: Plan) -> Cases:
    found: Cases = {}
    with measure.side_by_side(plan.tested(), CONFIGURATION, SENT) as benches:
        for bench in benches:
            prepare(bench, SIZE)
            bench.warm_up(measure.Load(plan.count(50), SIZE, 4))
        for at_once in (1, 8):
            load = measure.Load(plan.count(MESSAGES), SIZE, at_once)
            found[f"{at_once} at a time"] = take_turns(benches, load, plan, observed=200 if at_once == 8 else 0)
    return found
