"""D: mail from the network.  E: the queue directories."""

from __future__ import annotations

import json
import re

from harness import strace

from .evidence import Evidence
from .rows import Miss, QUEUE_ID, execs, log_line, need, row
from .rows_queue import VARIABLES

DIALOGUE = ("220 mx.test.invalid ESMTP Postfix", "250 mx.test.invalid", "250 2.1.0 Ok", "250 2.1.5 Ok",
            "354 End data with <CR><LF>.<CR><LF>", rf"250 2.0.0 Ok: queued as ({QUEUE_ID})", "221 2.0.0 Bye")

FOR_LOCAL = ("smtpd -n smtp -t inet -u -o stress=", "proxymap -t unix -u", "trivial-rewrite -n rewrite -t unix -u", "cleanup -z -t unix -u", "local -t unix")
FOR_REMOTE = ("trivial-rewrite -n rewrite -t unix -u", "cleanup -z -t unix -u", "smtp -t unix -u", "bounce -z -n defer -t unix -u")


def said(e: Evidence, name: str) -> str:
    """Checks the replies; returns the queue id that the server named."""
    replies = json.loads(e.texts[f"dialogue-{name}"])
    need(len(replies) == len(DIALOGUE), f"replies: {replies}")
    for reply, wanted in zip(replies, DIALOGUE):
        pattern = wanted if "(" in wanted else re.escape(wanted)
        need(re.fullmatch(pattern, reply), f"{reply}, not {wanted}")
    found = re.fullmatch(DIALOGUE[5], replies[5])
    assert found
    return found[1]


def commands(e: Evidence, name: str) -> list[str]:
    """What master started, in order."""
    found = []
    for call in execs(e.traces[name]):
        names = [one.split("=")[0] for one in strace.environment(call)]
        need(sorted(names) == sorted(VARIABLES), f"environment: {call}")
        found.append(" ".join(strace.argv(call)))
    return found


@row("D1", "the dialogue, word for word")
def d1(e: Evidence) -> str:
    said(e, "network")
    return " / ".join(json.loads(e.texts["dialogue-network"]))


@row("D2", "what master starts for a local recipient, in order, with four variables each")
def d2(e: Evidence) -> str:
    found = commands(e, "network")
    need(found == list(FOR_LOCAL), f"started: {found}")
    return "; ".join(found)


@row("D3", "what master starts for a remote recipient")
def d3(e: Evidence) -> str:
    # smtpd and proxymap stand first on a fresh start; the others come as they are needed.
    found = [one for one in commands(e, "down") if not one.startswith(("smtpd ", "proxymap "))]
    need(sorted(found[:2]) == sorted(FOR_REMOTE[:2]) and found[2:4] == list(FOR_REMOTE[2:]), f"started: {found}")
    return "; ".join(found)


@row("D4", "mail from the network goes the same way, under one id in all log lines")
def d4(e: Evidence) -> str:
    name = said(e, "network")
    wanted = (r"smtpd\[\d+\]: connect from \S+\[127\.0\.0\.1\]$", rf"smtpd\[\d+\]: {name}: client=\S+\[127\.0\.0\.1\]$",
              rf"cleanup\[\d+\]: {name}: message-id=<", r"smtpd\[\d+\]: disconnect from \S+\[127\.0\.0\.1\] helo=1 mail=1 rcpt=1 data=1 quit=1 commands=5$",
              rf"qmgr\[\d+\]: {name}: from=<carol@mx\.test\.invalid>, size=\d+, nrcpt=1 \(queue active\)$",
              rf"local\[\d+\]: {name}: to=<alice@mx\.test\.invalid>, .*status=sent \(delivered to mailbox\)$", rf"qmgr\[\d+\]: {name}: removed$")
    for pattern in wanted:
        log_line(e, "network", pattern)
    trace = e.traces["network"]
    for pattern in (rf'^rename\("incoming/{name}", "active/{name}"\) = 0', rf'^unlink(at)?\(.*"active/{name}"(, 0)?\) = 0'):
        need(trace.matching(pattern), f"no call like {pattern}")
    return f"{name}: client=, message-id=, from=, to=, removed"


PRIVATE_DIRECTORIES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


@row("E", "the queue directories, their modes and owners")
def e_layout(e: Evidence) -> str:
    found = {line.split()[-1]: " ".join(line.split()[:-1]) for line in e.texts["layout"].splitlines()}
    wanted: dict[str, tuple[str, ...]] = dict.fromkeys(PRIVATE_DIRECTORIES, ("drwx------ postfix root",))
    wanted |= {".": ("drwxr-xr-x root root",), "pid": ("drwxr-xr-x root root",),
               "maildrop": ("drwx-wx--- postfix postdrop", "drwx-wx--T postfix postdrop"),
               "public": ("drwx--x--- postfix postdrop", "drwx--s--- postfix postdrop")}
    wanted |= dict.fromkeys(("public/cleanup", "public/flush", "public/showq"), ("srw-rw-rw- postfix postfix",))
    for name, kinds in wanted.items():
        if name not in found:
            raise Miss(f"{name} is missing")
        need(found[name] in kinds, f"{name}: {found[name]}, not {kinds[0]}")
    sockets = [name for name in found if name.startswith("private/")]
    need(len(sockets) >= 10 and all(found[name] == "srw-rw-rw- postfix postfix" for name in sockets), f"private: {[found[n] for n in sockets]}")
    return "; ".join(f"{name} {found[name]}" for name in ("incoming", "maildrop", "public", "pid"))
