"""A: local submission."""

from __future__ import annotations

import json
import re

from harness import strace

from .evidence import Evidence
from .rows import Miss, QUEUE_ID, after, first, need, row, text, worked


@row("A1", "mail(1) runs /usr/sbin/sendmail; its name does not matter")
def a1(e: Evidence) -> str:
    lines = []
    for program in ("submit", "s-nail"):
        call = first(e.traces[program].execs(), r'execve\("/usr/s?bin/sendmail|execve\("/usr/lib/sendmail', "sendmail")
        need("-i" in strace.argv(call), f"-i is missing: {call}")
        lines.append(text(call).split("], [")[0] + "]")
    names = json.loads(e.texts["names"])
    for name in ("send-mail", "sendmail", "anything"):
        status, message = names[name]
        need(status == 0 and "\n\n.\nafter the dot\n" in message, f"as {name}: status {status}, {message!r}")
    for name in ("mail", "s-nail"):
        need("\nSubject: x\n" in names[name][1], f"{name} did not deliver: {names[name]}")
    need(names["mailq"] == [0, "Mail queue is empty\n"], f"as mailq: {names['mailq']}")
    need(names["newaliases"][0] == 0, f"as newaliases: {names['newaliases']}")
    return "; ".join(lines) + "; as send-mail, sendmail, anything: submits"


@row("A2", "postdrop is a process of its own, with one option and two variables")
def a2(e: Evidence) -> str:
    trace = e.traces["submit"]
    call = first(trace.execs(), r'execve\("/usr/sbin/postdrop"', "postdrop")
    need(strace.argv(call) == ["/usr/sbin/postdrop", "-r"], f"argv: {call}")
    need(strace.environment(call) == ["LANG=C", "PATH=/usr/bin:/bin"], f"environment: {call}")
    sendmail = first(trace.execs(), r"sendmail")
    need(trace.parents.get(call.pid) == sendmail.pid, "postdrop is no child of sendmail")
    return text(call)


@row("A3", "the drop file: made under a temporary name, renamed, made ready, synced")
def a3(e: Evidence) -> str:
    trace = e.traces["submit"]
    calls = worked(trace, "postdrop")
    made = first(calls, r'^openat?\(.*"maildrop/\d+\.\d+", O_RDWR\|O_CREAT\|O_EXCL(\|O_CLOEXEC|\|O_NONBLOCK)*, 0644\) = \d+')
    temporary = strace.path_of(made) or ""
    need(re.fullmatch(rf"maildrop/(0|[1-9]\d*)\.{trace.process(made.pid)}", temporary), f"not USEC.PID: {temporary}")
    need(made.value == 4, f"descriptor {made.value}, not 4")
    log = first(calls, r'^connect\(3, .*"/dev/log"')
    need(log.at < made.at, "the log is connected later")
    renamed = after(calls, made, rf'^rename\("{re.escape(temporary)}", "maildrop/{QUEUE_ID}"\) = 0')
    written = after(calls, renamed, r"^write\(4, ")
    ready = after(calls, written, r"^fchmod\(4, 0744\) = 0")
    synced = after(calls, ready, r"^fsync\(4\) = 0")
    after(calls, synced, r"^close\(4\) = 0")
    return f"{text(made)}; {text(renamed)}; {text(ready)}; {text(synced)}"


@row("A4", "postdrop wakes pickup; nobody there is no error")
def a4(e: Evidence) -> str:
    calls = worked(e.traces["submit"], "postdrop")
    synced = first(calls, r"^fsync\(4\) = 0")
    if e.fifo:
        opened = after(calls, synced, r'^openat?\(.*"public/pickup", O_WRONLY\|O_NONBLOCK(\|O_CLOEXEC)?\) = 4')
        woken = after(calls, opened, r'^write\(4, "W", 1\) = 1')
    else:
        after(calls, synced, r'"public/pickup", \{st_mode=S_IFSOCK')
        opened = after(calls, synced, r'^connect\(4, \{sa_family=AF_UNIX, sun_path="public/pickup"\}, 110\) = 0')
        after(calls, opened, r'^write\(4, "W", 1\) = 1')
        woken = after(calls, opened, r'^write\(4, "\\0", 1\) = 1')
    down = json.loads(e.texts["down"])
    need(down["status"] == 0 and not down["output"] and not down["log"] and len(down["files"]) == 1, f"with the system down: {down}")
    return f"{text(opened)}; {text(woken)}; silent when down"


@row("A5", "the trigger of pickup")
def a5(e: Evidence) -> str:
    wanted = ("prw--w--w- postfix" if e.fifo else "srw-rw-rw- postfix")
    for line in e.texts["layout"].splitlines():
        if line.endswith(" public/pickup"):
            need(line.startswith(wanted), f"{line}, not {wanted}")
            return line
    raise Miss("no public/pickup")

