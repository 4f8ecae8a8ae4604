"""What the figures are to be, and whether they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scenarios import Cases

OURS = "waybill"


@dataclass(frozen=True)
class Target:
    """FIGURE in each case of SCENARIO whose name CASES matches: ours, or ours divided by that of the system OVER."""

    scenario: str
    text: str
    figure: str
    at_most: float | None = None
    at_least: float | None = None
    over: str | None = None
    cases: str = ""
    hard: bool = True

    def wanted(self) -> str:
        return f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"

    def holds(self, value: float) -> bool:
        return value <= self.at_most if self.at_most is not None else value >= (self.at_least or 0)


TARGETS = (
    Target("A", "CPU per message, of Postfix's, 20 and 100 sessions", "cpu_s_per_1000", at_most=0.25, over="postfix", cases=r"\b(20|100) sessions"),
    Target("A", "CPU per message, of Postfix's, one session", "cpu_s_per_1000", at_most=0.25, over="postfix", cases=r"\b1 session"),
    Target("A", "messages/s, of the tuned Postfix's", "accepted_per_second", at_least=3, over="tuned", cases=r"\b(20|100) sessions"),
    Target("A", "system calls, of Postfix's", "syscalls_per_message", at_most=0.333, over="postfix", hard=False),
    Target("B", "CPU per message, of Postfix's", "cpu_s_per_1000", at_most=0.2, over="postfix"),
    Target("B", "messages/s, of the tuned Postfix's, one message a session", "messages_per_second", at_least=3, over="tuned", cases="one message"),
    Target("B", "messages/s, of the tuned Postfix's, many messages", "messages_per_second", at_least=4, over="tuned", cases="many"),
    Target("B", "CPU per message, of OpenSMTPD's", "cpu_s_per_1000", at_most=0.5, over="opensmtpd", hard=False),
    Target("B", "messages/s, of OpenSMTPD's", "messages_per_second", at_least=2, over="opensmtpd", hard=False),
    Target("C", "CPU per message, of Postfix's", "cpu_s_per_1000", at_most=0.333, over="postfix", hard=False),
    Target("C", "CPU per message, of OpenSMTPD's", "cpu_s_per_1000", at_most=0.5, over="opensmtpd", hard=False),
    Target("D", "KiB for each parked session", "kib_per_session", at_most=10),
    Target("D", "sessions that could be parked", "sessions", at_least=10000, cases="^10000"),
    Target("D", "ms until a newcomer is greeted, the worst of 20", "worst_greeting_ms", at_most=50),
    Target("E", "seconds from a cold restart to the first delivery, 100,000 waiting", "restart_to_first_delivery_s", at_most=1, cases="^100000 "),
    Target("E", "seconds from a first start to the first delivery", "start_to_first_delivery_s", at_most=1, cases="^100000 ", hard=False),
    Target("E", "postqueue -p, of Postfix's", "postqueue_p_s", at_most=0.2, over="postfix", cases="^100000 "),
    Target("E", "postqueue -j, of Postfix's", "postqueue_j_s", at_most=0.2, over="postfix", cases="^100000 "),
    Target("E", "seconds to the first line of postqueue -p", "postqueue_p_first_line_s", at_most=0.05, cases="^100000 "),
    Target("E", "seconds to the first line of postqueue -j", "postqueue_j_first_line_s", at_most=0.05, cases="^100000 "),
    Target("E", "postsuper -h ALL, of Postfix's", "postsuper_h_all_s", at_most=1, over="postfix", cases="^100000 "),
    Target("E", "postsuper -H ALL, of Postfix's", "postsuper_H_all_s", at_most=1, over="postfix", cases="^100000 "),
    Target("E", "postsuper -d ALL, of Postfix's", "postsuper_d_all_s", at_most=1, over="postfix", cases="^100000 "),
    Target("E", "CPU seconds per idle minute", "idle_cpu_s_per_minute", at_most=0.1, cases="^100000 "),
    Target("E", "bytes of qmgr for each of 1,000,000", "qmgr_bytes_per_message", at_most=350, cases="^1000000 ", hard=False),
    Target("F", "rate to the healthy, of that with all well", "share", at_least=0.9),
    Target("G", "messages/s accepted", "accepted_per_second", at_least=1500, cases="^accepted", hard=False),
    Target("idle", "memory of all daemons, of Postfix's", "pss_mib", at_most=1, over="postfix"),
    Target("idle", "CPU seconds per idle minute", "idle_cpu_s_per_minute", at_most=0.1),
)


@dataclass(frozen=True)
class Verdict:
    target: Target
    values: dict[str, float]
    """By case; none was measured when it is empty."""

    @property
    def holds(self) -> bool | None:
        return all(map(self.target.holds, self.values.values())) if self.values else None

    def __str__(self) -> str:
        if self.holds is None:
            return "not measured"
        most = self.target.at_most is not None
        worst = (max if most else min)(self.values.values())
        if self.holds:
            return f"holds: {worst:.3g}, wanted {self.target.wanted()}"
        failed = [case for case, value in self.values.items() if not self.target.holds(value)]
        where = f" ({len(failed)} of {len(self.values)} cases: " + "; ".join(f"{case} {self.values[case]:.3g}" for case in failed) + ")"
        return f"does not hold: {worst:.3g}, wanted {self.target.wanted()}{where if len(self.values) > 1 else ''}"


def values(target: Target, cases: Cases) -> dict[str, float]:
    found = {}
    for case, systems in cases.items():
        mine = systems.get(OURS, {}).get(target.figure)
        theirs = systems.get(target.over, {}).get(target.figure) if target.over else 1
        if mine is not None and theirs and re.search(target.cases, case):
            found[case] = mine / theirs
    return found


def judge(results: dict[str, Cases]) -> list[Verdict]:
    """Of the targets whose scenario was measured."""
    return [Verdict(target, values(target, results[target.scenario])) for target in TARGETS if target.scenario in results]
