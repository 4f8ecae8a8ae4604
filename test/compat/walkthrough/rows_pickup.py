"""B: pickup.  B1, B2 and B8 show Postfix's own event loop, and are free."""

from __future__ import annotations

import re
import struct

from harness import strace
from harness.strace import Call

from .evidence import Evidence
from .rows import Miss, QUEUE_ID, after, attributes, data, first, need, records, row, text, with_data, worked


def calls_of(e: Evidence) -> list[Call]:
    return worked(e.traces["local"], "pickup")


def pid_of(e: Evidence) -> int:
    for pid, program in e.traces["local"].programs.items():
        if program == "pickup":
            return pid
    raise Miss("pickup did not run when the trace began")


def status(call: Call) -> tuple[int, int, int]:
    raw = data(call)
    need(len(raw) == 12, f"not 12 bytes: {call}")
    pid, generation, state = struct.unpack("=iIi", raw)
    return pid, generation, state


def trigger(e: Evidence, program: str) -> Call:
    """The read of the trigger byte."""
    calls = worked(e.traces["local"], program)
    if e.fifo:
        return first(calls, r'^read\(6, "W", 1024\) = 1$')
    accepted = first(calls, r"^accept4?\(6, .*\) = \d+")
    return after(calls, accepted, r'^(read|recvfrom)\(\d+, "W(\\0)?", 1024(, .*)?\) = [12]$')


def file_opened(e: Evidence) -> Call:
    return first(calls_of(e), rf'^openat?\(.*"maildrop/{QUEUE_ID}", O_RDONLY\|O_NONBLOCK(\|O_CLOEXEC)?\) = \d+')


def connected(e: Evidence) -> Call:
    return first(calls_of(e), r'^connect\(\d+, \{sa_family=AF_UNIX, sun_path="public/cleanup"\}, 110\) = 0')


def new_id(e: Evidence) -> str:
    """The id that cleanup told pickup."""
    stream = connected(e)
    greeting = with_data((c for c in calls_of(e) if c.at > stream.at and c.name == "read"), b"queue_id\0")
    return attributes(data(greeting))["queue_id"]


@row("B3", "pickup tells master that it is taken, before the trigger is read, and available afterwards")
def b3(e: Evidence) -> str:
    calls = calls_of(e)
    read = trigger(e, "pickup")
    told = [call for call in calls if call.name == "write" and call.fd == 5 and call.value == 12]
    need(len(told) >= 2, "fewer than two status messages on descriptor 5")
    before = [call for call in told if call.began < read.at]
    need(before and status(before[-1]) == (pid_of(e), status(before[-1])[1], 0), "not taken before the trigger is read")
    unlinked = after(calls, read, r'^unlink\("maildrop/')
    later = [call for call in told if call.at > unlinked.at]
    need(later and status(later[0])[2] == 1, "not available after the work")
    heard = with_data((c for c in worked(e.traces["local"], "master", "read")), data(before[-1]))
    return f"{text(before[-1])}; {text(later[0])}; master: {text(heard)}"


@row("B4", "the trigger is W, read from descriptor 6")
def b4(e: Evidence) -> str:
    return text(trigger(e, "pickup"))


@row("B5", "pickup lists maildrop, by its relative name")
def b5(e: Evidence) -> str:
    calls = calls_of(e)
    opened = after(calls, trigger(e, "pickup"), r'^openat?\(.*"maildrop", O_RDONLY\|O_NONBLOCK\|.*O_DIRECTORY.*\) = \d+')
    need("O_CLOEXEC" in opened.args, f"without O_CLOEXEC: {opened}")
    listed = after(calls, opened, rf"^getdents64\({opened.value}, .*/\* 3 entries \*/")
    return f"{text(opened)}; {text(listed)}"


@row("B6", "the file is looked at, opened without blocking, and compared with a second look")
def b6(e: Evidence) -> str:
    calls = calls_of(e)
    opened = file_opened(e)
    path = re.escape(strace.path_of(opened) or "")
    look = rf'^(newfstatat\(AT_FDCWD, |lstat\()"{path}", \{{st_mode=S_IFREG\|0744, .*AT_SYMLINK_NOFOLLOW\) = 0'
    before = [call for call in calls if call.at < opened.at and re.search(look, text(call))]
    need(before, "no lstat before the open")
    after(calls, opened, rf'^(fstat\({opened.value}, |newfstatat\({opened.value}, "", )\{{st_mode=S_IFREG\|0744')
    again = after(calls, opened, look)
    return f"{text(opened)}; {text(again)}"


@row("B7", "pickup connects to cleanup")
def b7(e: Evidence) -> str:
    calls = calls_of(e)
    stream = connected(e)
    need(stream.at > file_opened(e).at, "connected before the file is open")
    made = [call for call in calls if call.name == "socket" and call.value == stream.fd and call.at < stream.at]
    need(made and re.search(r"^AF_UNIX, SOCK_STREAM(\|SOCK_\w+)*, 0", made[-1].args), "not an ordinary stream socket")
    return f"{text(made[-1])}; {text(stream)}"


@row("B9", "cleanup speaks first: its protocol and the id")
def b9(e: Evidence) -> str:
    stream = connected(e)
    read = with_data((c for c in calls_of(e) if c.at > stream.at and c.name == "read" and c.fd == stream.fd), b"queue_id\0")
    said, name = data(read), attributes(data(read))["queue_id"].encode()
    need(said in (b"protocol\0cleanup_protocol\0queue_id\0" + name + b"\0\0", b"queue_id\0" + name + b"\0\0"), f"other words: {read}")
    need(read.value == len(said) and read.args.endswith(", 4096"), f"not one read of 4096: {read}")
    return text(read)


@row("B10", "the drop file begins with the time record, and is read at once")
def b10(e: Evidence) -> str:
    opened = file_opened(e)
    read = after(calls_of(e), opened, rf"^read\({opened.value}, .*, 4096\) = \d+")
    found = records(data(read))
    need(found[0][0] == "T" and re.fullmatch(rb"[1-9]\d* (0|[1-9]\d*)", found[0][1]), f"no time record: {found[0]}")
    need(found[1] == ("A", b"rewrite_context=local"), f"second record: {found[1]}")
    need(found[-1] == ("E", b""), "no end record in the first read")
    return text(read)[:120]


@row("B11", "the uid= from= line is logged after the file is read and before it is sent")
def b11(e: Evidence) -> str:
    calls, opened = calls_of(e), file_opened(e)
    read = after(calls, opened, rf"^read\({opened.value}, ")
    logged = after(calls, read, r'^send(to)?\(\d+, "<22>', "a line sent to syslog")
    line = data(logged).decode("latin-1")
    wanted = rf"<22>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d postfix/pickup\[{pid_of(e)}\]: {new_id(e)}: uid=0 from=<root>"
    need(re.fullmatch(wanted, line), f"the line is {line!r}")
    need("MSG_NOSIGNAL" in logged.args and logged.value == len(line), f"sent otherwise: {logged}")
    need(logged.at < transfer(e).at, "logged after the transfer")
    return text(logged)


@row("B12", "pickup looks at the end of the file")
def b12(e: Evidence) -> str:
    opened = file_opened(e)
    read = after(calls_of(e), opened, rf"^read\({opened.value}, ")
    end = first(calls_of(e), rf"^_?l?lseek\({opened.value}, 0, SEEK_END\) = {read.value}$")
    need(opened.at < end.at < transfer(e).at, "not between the open and the transfer")
    return text(end)


def transfer(e: Evidence) -> Call:
    stream = connected(e)
    return with_data((c for c in calls_of(e) if c.at > stream.at and c.name == "write" and c.fd == stream.fd), b"flags\0")


@row("B13", "flags, records and our Received: header go to cleanup in one write")
def b13(e: Evidence) -> str:
    opened, sent = file_opened(e), transfer(e)
    raw, original = data(sent), data(after(calls_of(e), opened, rf"^read\({opened.value}, "))
    need(sent.value == len(raw), f"not one write: {sent.value} of {len(raw)} bytes")
    flags = re.match(rb"flags\0(115|627)\0\0", raw)
    need(flags, f"flags: {raw[:20]!r}")
    assert flags
    passed, had = records(raw[flags.end():]), records(original)
    added = [one for one in passed if one not in had]
    need([one for one in passed if one in had] == had, "records of the file are missing or changed")
    need(len(added) == 2 and all(kind == "N" for kind, _ in added), f"added: {added}")
    need(re.fullmatch(rb"Received: by [\w.-]+ \(Postfix, from userid 0\)", added[0][1]), f"added: {added[0]}")
    need(re.fullmatch(rb"\tid " + new_id(e).encode() + rb"; \w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)", added[1][1]), f"added: {added[1]}")
    return text(sent)[:200]


@row("B14", "cleanup answers with its verdict in 18 bytes")
def b14(e: Evidence) -> str:
    sent = transfer(e)
    verdict = with_data((c for c in calls_of(e) if c.at > sent.at and c.name == "read" and c.fd == sent.fd), b"status\0")
    need(data(verdict) == b"status\0000\0reason\0\0\0".replace(b"\0000", b"\x000") and verdict.value == 18, f"otherwise: {verdict}")
    return text(verdict)


@row("B15", "file and stream are closed, then the drop file is removed; then maildrop is listed again")
def b15(e: Evidence) -> str:
    calls, opened, sent = calls_of(e), file_opened(e), transfer(e)
    verdict = with_data((c for c in calls if c.at > sent.at and c.name == "read"), b"status\0")
    unlinked = after(calls, verdict, rf'^unlink\("maildrop/{QUEUE_ID}"\) = 0')
    path = strace.path_of(unlinked) or ""
    need(path == strace.path_of(opened), f"another file: {path}")
    for fd in (opened.value, sent.fd):
        closed = after(calls, verdict, rf"^close\({fd}\) = 0")
        need(closed.at < unlinked.at, f"descriptor {fd} is closed after the unlink")
    old, new = path.removeprefix("maildrop/"), new_id(e)
    need(old != new and all(re.fullmatch(r"[0-9A-F]{5}[0-9A-F]+", one) and int(one[:5], 16) < 1000000 for one in (old, new)), f"ids {old}, {new}")
    again = after(calls, unlinked, r'^openat?\(.*"maildrop", ')
    after(calls, again, r"^getdents64\(.*/\* 2 entries \*/", "a pass that finds nothing")
    return f"{text(unlinked)} (now {new}); {text(again)}"
