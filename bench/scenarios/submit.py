"""C: sendmail(1), 1 and 8 at a time --> system --> Maildir.  CPU is that of the daemons and of every sendmail and postdrop."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

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


# The mailbox is on the journalled image, too: elsewhere making a file may cost several times as much.
HOME_ON_IMAGE = """
for spool in /var/spool/smtpd /var/spool/postfix; do ! mountpoint -q $spool || break; done
install -d -o alice -g alice $spool/alice; mount --bind $spool/alice /home/alice
"""


def prepare(bench: measure.Bench, size: int) -> None:
    bench.system.run(["sh", "-ec", HOME_ON_IMAGE])
    bench.system.room.write("/root/message", "Subject: bench\n\n" + ("x" * 63 + "\n") * (size // 64))
    bench.source = by_sendmail


def by_program(bench: measure.Bench, messages: int) -> dict[str, float]:
    """CPU milliseconds per message of what runs, since its start; "gone": of what has ended, commands left out."""
    found: dict[str, float] = {}
    for pid in bench.cpu.group.pids():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(") ")
            found[name] = found.get(name, 0) + sum(map(int, rest.split()[11:13])) / os.sysconf("SC_CLK_TCK")
    found["gone"] = bench.cpu.used(bench.system) - sum(found.values())
    return {name: round(seconds * 1000 / messages, 3) for name, seconds in found.items()}


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
