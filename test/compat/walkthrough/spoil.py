"""Ways in which each row can be false.  The checker is trusted only because it sees each of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.strace import Call

from .evidence import Evidence

QUEUED = r"[0-9A-F]{6,}"


@dataclass(frozen=True)
class Spoil:
    row: str
    about: str
    spoil: Callable[[Evidence], Evidence]


def edit(trace: str, program: str, pattern: str, new: str | None) -> Callable[[Evidence], Evidence]:
    """Changes, or with NEW None leaves out, the program's calls that the expression finds in "name(args) = result"."""
    def spoil(evidence: Evidence) -> Evidence:
        seen = evidence.traces[trace]

        def change(call: Call) -> Call | None:
            line = f"{call.name}({call.args}) = {call.result}"
            if (program and seen.program(call.pid) != program) or not re.search(pattern, line):
                return call
            if new is None:
                return None
            name, _, rest = re.sub(pattern, new, line).partition("(")
            args, _, result = rest.rpartition(") = ")
            return replace(call, name=name, args=args, result=result)

        return evidence.with_calls(trace, change)
    return spoil


def late(trace: str, program: str, pattern: str) -> Callable[[Evidence], Evidence]:
    """Moves the calls to the end of the trace."""
    def spoil(evidence: Evidence) -> Evidence:
        seen = evidence.traces[trace]

        def moved(call: Call) -> bool:
            return seen.program(call.pid) == program and bool(re.search(pattern, f"{call.name}({call.args}) = {call.result}"))

        calls = [call for call in seen.calls if not moved(call)]
        calls += [replace(call, at=call.at + 1_000_000, began=call.began + 1_000_000) for call in seen.calls if moved(call)]
        return replace(evidence, traces={**evidence.traces, trace: replace(seen, calls=calls)})
    return spoil


def words(name: str, pattern: str, new: str) -> Callable[[Evidence], Evidence]:
    return lambda evidence: evidence.with_text(name, re.sub(pattern, new, evidence.texts[name], flags=re.M))


def helper(trace: str, program: str, pattern: str) -> Callable[[Evidence], Evidence]:
    """Lets a helper thread make the calls."""
    def spoil(evidence: Evidence) -> Evidence:
        seen = evidence.traces[trace]
        threads, calls = dict(seen.threads), []
        for call in seen.calls:
            if seen.program(call.pid) == program and re.search(pattern, f"{call.name}({call.args}) = {call.result}"):
                threads[900000] = call.pid
                call = replace(call, pid=900000)
            calls.append(call)
        return replace(evidence, traces={**evidence.traces, trace: replace(seen, calls=calls, threads=threads)})
    return spoil


SPOILS = [
    Spoil("A1", "mail(1) never runs sendmail", edit("submit", "", r"sendmail", "other")),
    Spoil("A1", "the name decides", words("names", r'"anything": \[0', '"anything": [64')),
    Spoil("A2", "a third variable", edit("submit", "", r'"PATH=/usr/bin:/bin"', '"PATH=/usr/bin:/bin", "X=1"')),
    Spoil("A2", "another option", edit("submit", "", r'"-r"', '"-r", "-v"')),
    Spoil("A3", "no exclusive create", edit("submit", "postdrop", r"O_CREAT\|O_EXCL", "O_CREAT")),
    Spoil("A3", "another mode", edit("submit", "postdrop", r"0644", "0600")),
    Spoil("A3", "ready after the sync", late("submit", "postdrop", r"^fchmod")),
    Spoil("A3", "never synced", edit("submit", "postdrop", r"^fsync", None)),
    Spoil("A4", "nobody is woken", edit("submit", "postdrop", r'"W", 1', '"X", 1')),
    Spoil("A4", "woken too early", late("submit", "postdrop", r"^fsync")),
    Spoil("A4", "noise while down", words("down", r'"output": ""', '"output": "oops"')),
    Spoil("A5", "another mode", words("layout", r"^.* public/pickup$", "prw------- postfix postfix public/pickup")),
    Spoil("B3", "not taken", edit("local", "pickup", r"\\0\\0\\0\\0\", 12\)", r'\\1\\0\\0\\0", 12)')),
    Spoil("B3", "another descriptor", edit("local", "pickup", r"^write\(5,", "write(7,")),
    Spoil("B3", "master does not hear", edit("local", "master", r"^read", None)),
    Spoil("B4", "another byte", edit("local", "pickup", r'"W', '"X')),
    Spoil("B5", "an absolute name", edit("local", "pickup", r'"maildrop"', '"/var/spool/postfix/maildrop"')),
    Spoil("B6", "no second look", edit("local", "pickup", r"AT_SYMLINK_NOFOLLOW", "0")),
    Spoil("B6", "a blocking open", edit("local", "pickup", r"O_RDONLY\|O_NONBLOCK\)", "O_RDONLY)")),
    Spoil("B7", "an absolute address", edit("local", "pickup", r'"public/cleanup"', '"/var/spool/postfix/public/cleanup"')),
    Spoil("B7", "a short address", edit("local", "pickup", r'("public/cleanup"\}), 110', r"\1, 17")),
    Spoil("B9", "more words", edit("local", "pickup", r"queue_id\\0", r"queue_id\\0x")),
    Spoil("B10", "another first record", edit("local", "pickup", r'"T\\0', r'"Q\\0')),
    Spoil("B11", "another line", edit("local", "pickup", r"uid=0", "uid=1")),
    Spoil("B11", "too late", late("local", "pickup", r"<22>")),
    Spoil("B12", "nobody looks", edit("local", "pickup", r"^lseek.*SEEK_END", None) ),
    Spoil("B13", "other flags", edit("local", "pickup", r"flags\\000(115|627)", r"flags\\0001")),
    Spoil("B13", "two writes", edit("local", "pickup", r"^(write\(\d+, \"flags.*) = \d+", r"\1 = 100")),
    Spoil("B13", "no Received header", edit("local", "pickup", r"Received: by", "Deceived: by")),
    Spoil("B14", "another verdict", edit("local", "pickup", r"status\\0000", r"status\\0001")),
    Spoil("B15", "removed before it is closed", late("local", "pickup", r"^close")),
    Spoil("B15", "never removed", edit("local", "pickup", r"^unlink", None)),
    Spoil("C1", "other arguments", edit("local", "", r'\["cleanup", "-z"', '["cleanup", "-l"')),
    Spoil("C1", "a fifth variable", edit("local", "", r'"LANG=C"', '"LANG=C", "HOME=/"')),
    Spoil("C2", "not asked", edit("local", "cleanup", r"RTM_GETADDR", "RTM_GETROUTE")),
    Spoil("C3", "other arguments", edit("local", "", r'\["trivial-rewrite", "-n"', '["trivial-rewrite", "-x"')),
    Spoil("C3", "nobody asks", edit("local", "cleanup", r"private/rewrite", "private/other")),
    Spoil("C4", "address not completed", edit("local", "cleanup", r"alice@mx", "alice@my")),
    Spoil("C4", "no From header", words("mailbox", r"^From: ", "X-From: ")),
    Spoil("C4", "another id in Message-Id", words("log-local", r"message-id=<\d{14}", "message-id=<1")),
    Spoil("C5", "written before the rename", late("local", "cleanup", r"^rename")),
    Spoil("C5", "synced before the mode", late("local", "cleanup", r"^fchmod")),
    Spoil("C5", "answered before the sync", late("local", "cleanup", r"^fsync")),
    Spoil("C5", "renamed by a helper thread", helper("local", "cleanup", r"^rename")),
    Spoil("C6", "another socket", edit("down", "qmgr", r"private/smtp", "private/relay")),
    Spoil("C7", "another title", words("processes", r"qmgr -l", "qmgr -z")),
    Spoil("C7", "another parent", words("processes", r"^(\d+) 1 root (.*master)", r"\1 2 root \2")),
    Spoil("C8", "no lock", edit("local", "local", r"alice\.lock", "alice.luck")),
    Spoil("C8", "no sync", edit("local", "local", r"^fsync", None)),
    Spoil("C8", "nobody looks the user up", edit("local", "local", r"/etc/passwd", "/etc/other")),
    Spoil("D1", "another word", words("dialogue-network", r"queued as", "kept as")),
    Spoil("D2", "another order", late("network", "proxymap", r"^execve")),
    Spoil("D2", "one missing", edit("network", "", r'\["proxymap"', '["proxymop"')),
    Spoil("D3", "another agent", edit("down", "", r'\["smtp", ', '["lmtp", ')),
    Spoil("D4", "no removal", words("log-network", r"removed$", "gone")),
    Spoil("D4", "two ids", words("log-network", rf"qmgr(\[\d+\]): {QUEUED}: from", r"qmgr\1: ABCDEF12345: from")),
    Spoil("E", "readable by all", words("layout", r"^drwx------ (postfix root incoming)", r"drwxr-xr-x \1")),
    Spoil("E", "a missing directory", words("layout", r"^.* corrupt\n", "")),
    Spoil("F1", "not woken", edit("local", "qmgr", r'"W', '"X')),
    Spoil("F1", "listed by a helper thread", helper("local", "qmgr", r'"incoming"')),
    Spoil("F2", "not locked", edit("local", "qmgr", r"LOCK_EX", "LOCK_SH")),
    Spoil("F2", "linked, not renamed", edit("local", "qmgr", r"^rename", "link")),
    Spoil("F3", "left open", late("local", "qmgr", r"^close")),
    Spoil("F4", "another sub-directory", edit("down", "qmgr", r'"deferred/./', '"deferred/x/')),
    Spoil("F4", "another reason", words("log-down", r"try again", "never mind")),
    Spoil("F4", "due at once", words("deferred-about", r'"due_in": [\d.]+', '"due_in": 0')),
    Spoil("F5", "no end record", words("deferred", r"E\x00\Z", "")),
    Spoil("F5", "another size", words("deferred", r"(C_ +)\d+", r"\g<1>999")),
    Spoil("F5", "a lost header", words("deferred", r"Message-Id", "Message-Oh")),
    Spoil("F6", "no notice", words("log-gone", r"sender non-delivery notification", "nothing")),
    Spoil("F6", "the second message never comes in", edit("gone", "qmgr", r'^(rename.*) = 0', r"\1 = -1 ENOENT (No such file)")),
]
