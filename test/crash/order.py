"""Reads from a trace in which order things were done: durable first, then told.  Each check returns how many cases it saw and
what was wrong with them.

Files are known by the paths that `strace -y` shows beside descriptors, messages by the queue id in their Received: lines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.strace import Call, Trace

CALLS = ("write", "writev", "pwrite64", "sendto", "sendmsg", "read", "recvfrom", "recvmsg", "fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "unlink",
         "unlinkat", "fchmod", "ftruncate", "exit_group", "execve", "clone", "clone3", "fork", "vfork")
OPTIONS = ("-f", "-y", "-s", "4096", "-e", f"trace={','.join(CALLS)}")
_CHANGES = ("write", "writev", "pwrite64", "ftruncate", "fchmod", "rename", "renameat", "renameat2")
_OUTPUT = ("write", "writev", "sendto", "sendmsg")
_INPUT = ("read", "recvfrom", "recvmsg")


@dataclass
class Found:
    cases: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, case: str, why: str | None) -> None:
        self.cases += 1
        if why:
            self.wrong.append(f"{case}: {why}")


def path_of_fd(call: Call) -> str:
    """As it was when the call was made."""
    found = re.match(r"\d+<([^>]*)>", call.args)
    return found[1] if found else ""


def received_as(queue_id: str) -> str:
    return rf"(?:\\t| )id {queue_id}(?![0-9A-F])"


def about(calls: Iterable[Call], name: str, *names: str) -> list[Call]:
    """Those called NAMES whose descriptor is the file NAME (the end of a path), or who name it."""
    return [call for call in calls if call.name in names and call.ok and (path_of_fd(call).endswith(name) or f'{name}"' in call.args)]


def unsettled(calls: list[Call], name: str, before: Call, *, mode: str = "") -> str | None:
    """Why, when BEFORE began, the file NAME was not on the disk with all that CALLS had done to it; MODE is one it must have got."""
    changes = [call for call in about(calls, name, *_CHANGES) if call.began < before.began]
    syncs = [call for call in calls if call.at < before.began and (about([call], name, "fsync", "fdatasync") or (call.name == "syncfs" and call.ok))]
    if not changes:
        return f"{name} was not written"
    if mode and not any(call.name == "fchmod" and f", {mode}" in call.args for call in changes):
        return f"{name} did not get mode {mode}"
    if mode and not any(call.name.startswith("rename") for call in changes):
        return f"{name} did not get its name"
    if not syncs:
        return f"{name} was not synced"
    late = [call for call in changes if call.at > syncs[-1].began]
    return f"{name} was changed after it had been synced: {late[0]}" if late else None


class Order:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._of: dict[str, list[Call]] = {}
        self._cleanup = self._calls("cleanup")
        self._texts = [call for call in self._cleanup if re.search("/(incoming|active)/", path_of_fd(call)) and call.name in ("write", "writev")]

    def _calls(self, program: str) -> list[Call]:
        if program not in self._of:
            self._of[program] = self.trace.of(program)
        return self._of[program]

    def by_smtp(self) -> Found:
        found = Found()
        for said in self.trace.of("smtpd", *_OUTPUT):
            if reply := re.search(r'"250 2\.0\.0 Ok: queued as (\w+)', said.args):
                found.check(reply[1], unsettled(self._cleanup, f"/{reply[1]}", said, mode="0700"))
        return found

    def by_sendmail(self) -> Found:
        """postdrop(1) ends, and sendmail(1) after it."""
        found = Found()
        for end in self.trace.calls:
            if end.name == "exit_group" and end.args == "0" and self.trace.program(end.pid) == "postdrop":
                calls = [call for call in self.trace.of("postdrop") if self.trace.process(call.pid) == self.trace.process(end.pid)]
                names = [match[1] for call in calls if call.name == "rename" and (match := re.search(r', "(maildrop/\w+)"', call.args))]
                parent = self.trace.parents.get(self.trace.process(end.pid))
                told = [call for call in self.trace.calls if call.name == "exit_group" and self.trace.process(call.pid) == parent and call.at > end.at]
                found.check(f"postdrop {end.pid}", unsettled(calls, names[-1], end, mode="0744") if names and told else "no file, or sendmail ended first")
        return found

    def picked_up(self) -> Found:
        """A maildrop file goes when what was made of it is durable."""
        found, calls = Found(), self.trace.of("pickup")
        for gone in calls:
            if gone.name == "unlink" and "maildrop/" in gone.args and gone.ok:
                made = [match[1] for call in calls if call.at < gone.began and (match := re.search(r"\\0queue_id\\0(?:00)?(\w+)\\0", call.args)) and call.name in _INPUT]
                found.check(gone.args, unsettled(self._cleanup, f"/{made[-1]}", gone, mode="0700") if made else "nothing was made of it")
        return found

    def delivered(self) -> Found:
        """A recipient is marked when the delivery is durable."""
        found = Found()
        for mark in [call for program in ("local", "virtual", "smtp") for call in self.trace.of(program, "pwrite64")]:
            if match := re.match(r'\d+<[^>]*/active/(\w+)>, "D", 1', mark.args):
                program = self.trace.program(mark.pid)
                found.check(f"{match[1]} by {program}", self._by_smtp(match[1], mark) if program == "smtp" else self._by_agent(match[1], mark))
        return found

    def _by_agent(self, queue_id: str, mark: Call) -> str | None:
        """A mailbox, a Maildir, or a message that was made of it: one of them, since the agent may be at several recipients at a time."""
        own = self._calls(self.trace.program(mark.pid))  # children with the rights of the mailbox's owner write it
        put = [path_of_fd(call) for call in own if call.name == "write" and call.began < mark.began and path_of_fd(call).startswith("/")
               and "/active/" not in path_of_fd(call) and re.search(received_as(queue_id), call.args)]
        reasons = [self._put(own, path, mark) for path in dict.fromkeys(put)]
        if None not in reasons:
            reasons.append(self._remade(queue_id, mark))
        return None if None in reasons else reasons[0]

    @staticmethod
    def _put(own: list[Call], path: str, mark: Call) -> str | None:
        """Why the mailbox, or the file of a Maildir, was not durable before MARK."""
        if "/tmp/" not in path:
            return unsettled(own, path, mark)
        name = path.rsplit("/", 1)[-1]
        moved = [call for call in own if call.name == "rename" and call.ok and f'tmp/{name}"' in call.args and call.began < mark.began]
        if not moved:
            return f"{path} did not get its name"
        final = re.findall(r'"([^"]*)"', moved[-1].args)[1]
        return unsettled(own, final[final.index("new/"):], mark)

    def _remade(self, queue_id: str, before: Call) -> str | None:
        """The forwarded message, or the notice, that has this one's Received: line."""
        # A Received: line of its own has the same id, as if it had been made of itself.
        made = [path_of_fd(call) for call in self._texts if re.search(received_as(queue_id), call.args) and not path_of_fd(call).endswith(queue_id)]
        if not made:
            return "nothing was made of it"
        return unsettled(self._cleanup, made[0][made[0].rindex("/"):], before, mode="0700")

    def _by_smtp(self, queue_id: str, mark: Call) -> str | None:
        """The next hop's 250, or the reason in the log of bounce(8)."""
        own = [call for call in self.trace.calls if self.trace.process(call.pid) == self.trace.process(mark.pid) and call.began < mark.began]
        sent = [call for call in own if call.name in _OUTPUT and re.search(received_as(queue_id), call.args) and "<socket" in call.args
                and "DSN" not in call.args and "postfix/smtp" not in call.args]
        refused = unsettled(self._calls("bounce"), f"bounce/{queue_id}", mark)
        if not sent or refused is None:
            return refused  # maybe while others of its recipients are still being sent to
        answers = [call for call in own if call.name in _INPUT and path_of_fd(call) == path_of_fd(sent[-1]) and sent[-1].at < call.at < mark.began
                   and re.search(r'"250 [^"]* kept', call.args)]
        return None if answers else "the next hop had not answered"

    def removed(self) -> Found:
        """A queue file goes when each of its recipients is done; a log of bounce(8) when the notice is durable."""
        found, wanted, marks = Found(), dict[str, int](), defaultdict[str, list[Call]](list)
        for call in self.trace.of("qmgr", *_OUTPUT):
            if seen := re.search(r" (\w+): from=.*nrcpt=(\d+)", call.args):
                wanted[seen[1]] = int(seen[2])
        for call in self.trace.calls:
            if call.name in ("write", "pwrite64") and call.ok and (mark := re.match(r'\d+<[^>]*/(\w+)>, "D", 1', call.args)):
                marks[mark[1]].append(call)
        for gone in self.trace.of("qmgr", "unlink"):
            if (match := re.search(r'"active/(\w+)"', gone.args)) and gone.ok:
                done = [call for call in marks[match[1]] if call.at < gone.began]
                found.check(match[1], None if len(done) == wanted.get(match[1]) else f"removed with {len(done)} of {wanted.get(match[1])} recipients done")
        for gone in self.trace.of("bounce", "unlink"):
            if (match := re.search(r'"bounce/(\w+)"', gone.args)) and gone.ok:
                found.check(f"bounce/{match[1]}", self._remade(match[1], gone))
        return found
