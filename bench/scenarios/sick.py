"""F: one of ten destinations takes no connection (its SYNs are lost) and one takes two seconds for each reply.

The same stream of mail goes to the ten, once while all are well and once with those two; what counts is how fast the other
eight get theirs."""

from __future__ import annotations

import statistics
import subprocess
import time

import measure

from . import Cases, Figures, Plan

LETTER, TITLE = "F", "One of ten destinations is dead, one is slow"
HEALTHY = [f"d{n}.example" for n in range(8)]
WELL, SICK = [*HEALTHY, "d8.example", "d9.example"], [*HEALTHY, "dead.example", "slow.example"]
PORTS = {name: 2600 + n for n, name in enumerate([*WELL, "dead.example", "slow.example"])}
ROUTES = ", ".join(f"{name}=smtp:[127.0.0.1]:{port}" for name, port in PORTS.items())
CONFIGURATION = (f"transport_maps = inline:{{ {ROUTES} }}", "mynetworks = 127.0.0.0/8", "in_flow_delay = 0")
SENT = r"/smtp\[\d+\]: \w+: to=<dave@d[0-7]\.example>, .* status=sent"
MESSAGES, SIZE, SESSIONS = 4000, 4096, 20

# Its queue of connections is full: the kernel answers no more.
BLACK_HOLE = """
import socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(0)
fillers = []
for _ in range(4):
    filler = socket.socket()
    filler.setblocking(False)
    filler.connect_ex(listener.getsockname())
    fillers.append(filler)
print("full", flush=True)
time.sleep(3600)
"""


def listen(bench: measure.Bench) -> None:
    """Until the room ends."""
    slowly = [word for command in ("connect", "helo", "ehlo", "mail", "rcpt", "data", ".", "quit") for word in ("-W", f"{command}:2")]
    for name in (*WELL, "slow.example"):
        bench.system.spawn(["smtp-sink", "-u", "nobody", *(slowly if name == "slow.example" else []), f"127.0.0.1:{PORTS[name]}", "1000"],
                           stdout=subprocess.DEVNULL)
    hole = bench.system.spawn(["/usr/bin/python3", "-c", BLACK_HOLE, PORTS["dead.example"]], stdout=subprocess.PIPE)
    assert hole.stdout
    hole.stdout.readline()
    time.sleep(0.5)


def wait_healthy(bench: measure.Bench, count: int) -> None:
    until = time.monotonic() + 600
    while len(bench.system.log.find(SENT)) < count:
        if time.monotonic() > until:
            raise SystemExit(f"{bench.name}: the healthy destinations do not get their mail\n{bench.system.log.text()[-3000:]}")
        time.sleep(0.1)


def rate(bench: measure.Bench, messages: int, destinations: list[str]) -> float:
    """Messages per second to the eight."""
    healthy = messages * len(HEALTHY) // len(destinations)
    bench.system.log.mark()
    began = time.monotonic()
    measure.by_own_source(bench, measure.Load(messages, SIZE, SESSIONS, many=True, to=[f"dave@{name}" for name in destinations]))
    wait_healthy(bench, healthy)
    return healthy / (time.monotonic() - began)


def empty(bench: measure.Bench) -> None:
    """Whatever still waits for the two is no concern of the next round."""
    bench.system.stop()
    bench.system.run(["postsuper", "-d", "ALL"], timeout=600)
    bench.start()
    time.sleep(1)


def one_round(bench: measure.Bench, messages: int, destinations: list[str]) -> float:
    rate(bench, 50, destinations)
    found = rate(bench, messages, destinations)
    empty(bench)
    return found


def figures(well_rates: list[float], sick_rates: list[float]) -> Figures:
    well, sick = statistics.median(well_rates), statistics.median(sick_rates)
    return {"all_well_per_second": round(well, 1), "with_the_sick_per_second": round(sick, 1), "share": round(sick / well, 3)}


def run(plan: Plan) -> Cases:
    messages = plan.count(MESSAGES) // 10 * 10
    well: dict[str, list[float]] = {}
    sick: dict[str, list[float]] = {}
    with measure.side_by_side(plan.tested("opensmtpd", "tuned"), CONFIGURATION, SENT) as benches:
        for bench in benches:
            listen(bench)
        for _ in range(plan.rounds):
            for bench in benches:
                well.setdefault(bench.name, []).append(one_round(bench, messages, WELL))
                sick.setdefault(bench.name, []).append(one_round(bench, messages, SICK))
    return {f"{SESSIONS} sessions, many messages each": {name: figures(well[name], sick[name]) for name in well}}
