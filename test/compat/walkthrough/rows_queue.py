"""C: cleanup, rewriting, queue manager.  F: the queue manager's work on one message."""

from __future__ import annotations

import json
import re
import time

from harness import strace
from harness.strace import Call, Trace

from .evidence import Evidence
from .rows import Miss, QUEUE_ID, after, data, execs, first, log_line, main_thread, need, records, row, text, with_data, worked
from .rows_pickup import connected, new_id, trigger

VARIABLES = ("MAIL_CONFIG", "MAIL_LOGTAG", "LANG", "GENERATION")


def started(trace: Trace, *argv: str) -> Call:
    """The exec by master of a program with just these arguments, and four variables."""
    for call in execs(trace):
        if strace.argv(call) == list(argv):
            names = [one.split("=")[0] for one in strace.environment(call)]
            need(sorted(names) == sorted(VARIABLES), f"environment: {call}")
            return call
    raise Miss(f"master did not start {list(argv)}; it started {[strace.argv(call) for call in execs(trace)]}")


@row("C1", "master starts cleanup when somebody connects to it")
def c1(e: Evidence) -> str:
    trace = e.traces["local"]
    call = started(trace, "cleanup", "-z", "-t", "unix", "-u")
    need(call.at > connected(e).began, "started before anybody asked for it")
    return text(call)


@row("C2", "cleanup lists the machine's interface addresses")
def c2(e: Evidence) -> str:
    calls = worked(e.traces["local"], "cleanup")
    made = first(calls, r"^socket\(AF_NETLINK, SOCK_RAW(\|SOCK_CLOEXEC)?, NETLINK_ROUTE\) = \d+")
    fd = made.value
    bound = after(calls, made, rf"^bind\({fd}, \{{sa_family=AF_NETLINK")
    after(calls, bound, rf"^getsockname\({fd}, ")
    asked = []
    for kind in ("RTM_GETLINK", "RTM_GETADDR"):
        call = after(calls, bound, rf"^sendto\({fd}, .*nlmsg_len=20, nlmsg_type={kind}, nlmsg_flags=NLM_F_REQUEST\|NLM_F_DUMP, .*\) = 20")
        after(calls, call, rf"^recvmsg\({fd}, ")
        number = re.search(r"nlmsg_seq=(\d+)", call.args)
        asked.append(int(number[1]) if number else 0)
    need(asked[1] == asked[0] + 1 and 0 <= time.time() - asked[0] < 86400 * 365, f"sequence numbers {asked}")
    return f"{text(made)}; RTM_GETLINK seq={asked[0]}, RTM_GETADDR seq={asked[1]}"


@row("C3", "cleanup asks trivial-rewrite, which master starts for it")
def c3(e: Evidence) -> str:
    trace = e.traces["local"]
    asked = first(worked(trace, "cleanup"), r'^connect\(\d+, \{sa_family=AF_UNIX, sun_path="private/rewrite"\}, 110\) = 0')
    call = started(trace, "trivial-rewrite", "-n", "rewrite", "-t", "unix", "-u")
    need(call.at > asked.began, "started before anybody asked for it")
    return f"{text(asked)}; {text(call)}"


@row("C4", "addresses are completed, missing headers are added")
def c4(e: Evidence) -> str:
    calls, name = worked(e.traces["local"], "cleanup"), new_id(e)
    asked = with_data((c for c in calls if c.name == "write"), b"request\0rewrite\0rule\0local\0address\0alice\0\0")
    told = with_data((c for c in calls if c.at > asked.at and c.name == "read" and c.fd == asked.fd), b"address\0alice@mx.test.invalid\0")
    log_line(e, "local", rf"cleanup\[\d+\]: {name}: message-id=<\d{{14}}\.{name}@mx\.test\.invalid>$")
    for header in (rf"Message-Id: <\d{{14}}\.{name}@mx\.test\.invalid>", r"From: root@mx\.test\.invalid \(root\)", "To: alice@mx.test.invalid"):
        need(re.search(rf"^{header}$", e.texts["mailbox"], re.M), f"the message lacks {header}")
    need(re.search(r"^Date: ", e.texts["mailbox"], re.M), "the message lacks Date:")
    return f"{text(asked)}; {text(told)}"


@row("C5", "the queue file gets its name before its content, and is ready before it is synced")
def c5(e: Evidence) -> str:
    trace = e.traces["local"]
    calls = worked(trace, "cleanup")
    made = first(calls, r'^openat?\(.*"incoming/\d+\.\d+", O_RDWR\|O_CREAT\|O_EXCL(\|O_CLOEXEC)?, 0600\) = \d+')
    temporary, fd = strace.path_of(made) or "", made.value
    need(re.fullmatch(rf"incoming/(0|[1-9]\d*)\.{trace.process(made.pid)}", temporary), f"not USEC.PID: {temporary}")
    renamed = main_thread(trace, after(calls, made, rf'^rename\("{re.escape(temporary)}", "incoming/{new_id(e)}"\) = 0'))
    written = main_thread(trace, first((c for c in calls if c.at > made.at), rf"^write\({fd}, "))
    need(written.began > renamed.began, "written before the rename")
    ready = main_thread(trace, after(calls, written, rf"^fchmod\({fd}, 0700\) = 0"))
    synced = after(calls, ready, rf"^fsync\({fd}\) = 0")
    woken = after(calls, synced, r'"public/qmgr"')
    verdict = with_data((c for c in calls if c.name == "write" and c.at > renamed.at), b"status\0")
    need(verdict.began > synced.at, "answered before the sync")
    need(woken.began > synced.at, "the queue manager was woken before the sync")
    return f"{text(made)}; {text(renamed)}; {text(ready)}; {text(synced)}"


@row("C6", "the transport decides to which socket the queue manager connects")
def c6(e: Evidence) -> str:
    local, remote = (first(worked(e.traces[name], "qmgr"), rf'^connect\(\d+, \{{sa_family=AF_UNIX, sun_path="private/{agent}"\}}, 110\) = 0')
                     for name, agent in (("local", "local"), ("down", "smtp")))
    return f"{text(local)}; {text(remote)}"


@row("C7", "master is root's and init's child; qmgr and pickup are processes of postfix")
def c7(e: Evidence) -> str:
    rows = [line.split(None, 3) for line in e.texts["processes"].splitlines()]
    masters = [r for r in rows if re.search(r"/master( -w)?$", r[3])]
    need(len(masters) == 1 and masters[0][1:3] == ["1", "root"], f"master: {masters}")
    kind = "fifo" if e.fifo else "unix"
    found = [" ".join(masters[0])]
    for title in (f"qmgr -l -t {kind} -u", f"pickup -l -t {kind} -u"):
        same = [r for r in rows if r[3] == title]
        need(len(same) == 1 and same[0][1] == masters[0][0] and same[0][2] == "postfix", f"no {title} of postfix under master: {rows}")
        found.append(" ".join(same[0]))
    return "; ".join(found)


@row("C8", "local looks the user up and appends to the mailbox under its lock")
def c8(e: Evidence) -> str:
    calls = worked(e.traces["local"], "local")
    queue_file = first(calls, rf'^openat?\(.*"active/{new_id(e)}", O_RDWR')
    after(calls, queue_file, r'^openat?\(.*"/etc/passwd", O_RDONLY')
    locked = after(calls, queue_file, r'^openat?\(.*"/var/mail/alice\.lock", .*O_CREAT\|O_EXCL')
    opened = after(calls, locked, r'^openat?\(.*"/var/mail/alice", O_WRONLY\|.*O_APPEND\|O_NONBLOCK.*\) = \d+')
    written = after(calls, opened, rf"^write\({opened.value}, ")
    need(b"Delivered-To: alice@mx.test.invalid" in data(written) and data(written).endswith(b"test\n\n"), "not one write")
    synced = after(calls, written, rf"^fsync\({opened.value}\) = 0")
    removed = after(calls, synced, r'^unlink\("/var/mail/alice\.lock"\) = 0')
    return f"{text(locked)}; {text(opened)}; {text(synced)}; {text(removed)}"


@row("F1", "the queue manager is woken, and lists incoming")
def f1(e: Evidence) -> str:
    read = trigger(e, "qmgr")
    opened = after(worked(e.traces["local"], "qmgr"), read, r'^openat?\(.*"incoming", O_RDONLY\|O_NONBLOCK\|.*O_DIRECTORY.*\) = \d+')
    need("O_CLOEXEC" in opened.args, f"without O_CLOEXEC: {opened}")
    return f"{text(read)}; {text(main_thread(e.traces['local'], opened))}"


def activated(trace: Trace, name: str) -> tuple[Call, Call, Call]:
    """Rename to active, open, lock."""
    calls = worked(trace, "qmgr")
    renamed = main_thread(trace, first(calls, rf'^rename\("incoming/{name}", "active/{name}"\) = 0'))
    opened = main_thread(trace, after(calls, renamed, rf'^openat?\(.*"active/{name}", O_RDWR(\|O_CLOEXEC|\|O_NONBLOCK|\|O_NOFOLLOW)*\) = \d+'))
    locked = after(calls, opened, rf"^flock\({opened.value}, LOCK_EX\|LOCK_NB\) = 0")
    return renamed, opened, locked


@row("F2", "the file is renamed into active, opened for writing too, and locked")
def f2(e: Evidence) -> str:
    return "; ".join(map(text, activated(e.traces["local"], new_id(e))))


@row("F3", "the queue file is closed before the queue manager connects to local")
def f3(e: Evidence) -> str:
    calls = worked(e.traces["local"], "qmgr")
    _, opened, _ = activated(e.traces["local"], new_id(e))
    closed = after(calls, opened, rf"^close\({opened.value}\) = 0")
    asked = after(calls, opened, r'^connect\(\d+, \{sa_family=AF_UNIX, sun_path="private/local"\}, 110\) = 0')
    need(closed.at < asked.began, "the file is still open")
    return f"{text(closed)}; {text(asked)}"


def deferral(e: Evidence, name: str) -> tuple[list[Call], Call]:
    calls = worked(e.traces["down"], "qmgr")
    done = main_thread(e.traces["down"], first(calls, rf'^rename\("active/{name}", "deferred/{name[0]}/{name}"\) = 0'))
    return calls, done


@row("F4", "no name server: the file moves to deferred/X in one rename, due later")
def f4(e: Evidence) -> str:
    name = e.texts["deferred-id"]
    calls, done = deferral(e, name)
    asked = first(calls, r'^connect\(\d+, .*"private/smtp"')
    early = [call for call in calls if call.name == "rename" and call.errno == "ENOENT" and '"deferred/' in call.args]
    need(early, "no first rename into a missing sub-directory")
    made = after(calls, early[0], r'^mkdir\("deferred/[0-9A-F]", 0700\) = 0')
    after(calls, made, r'^rename\("active/.*", "deferred/.*"\) = 0')
    log_line(e, "down", rf"smtp\[\d+\]: {name}: to=<bob@second\.example>, relay=none, delay=\S+, delays=\S+, dsn=4\.4\.3, status=deferred "
             r"\(Host or domain name not found\. Name service error for name=second\.example type=MX: Host not found, try again\)$")
    about = json.loads(e.texts["deferred-about"])
    need(about["folder"] == "drwx------" and about["mode"] == "-rwx------", f"modes: {about}")
    need(60 < about["due_in"] < 4100, f"due in {about['due_in']} s")
    need("recipient=bob@second.example\n" in about["defer_file"] and "Host not found, try again" in about["defer_file"], f"defer file: {about['defer_file']!r}")
    return f"{text(asked)}; {text(made)}; {text(done)}"


@row("F5", "the deferred file, record by record")
def f5(e: Evidence) -> str:
    raw, name = e.texts["deferred"].encode("latin-1"), e.texts["deferred-id"]
    found = records(raw)
    size, content = found[0], [value for kind, value in found if kind == "N"]
    need(size[0] == "C" and len(size[1]) in (79, 95) and re.fullmatch(rb"(?: *\d+){5,6}", size[1]), f"size record: {size}")
    need(all(len(size[1][at:at + 15].strip()) > 0 for at in range(0, len(size[1]), 16)), f"fields are not %15ld: {size}")
    fields = [int(field) for field in size[1].split()]
    need(fields[2:4] == [1, 0], f"recipients and flags: {fields}")
    kinds = "".join(kind for kind, _ in found)
    need(re.fullmatch(r"CTAAFSAORMN+X(A*)E", kinds), f"order of records: {kinds}")
    need(re.fullmatch(rb"[1-9]\d* (0|[1-9]\d*)", found[1][1]), f"time: {found[1]}")
    created = int(found[2][1].removeprefix(b"create_time="))
    need(abs(int(found[1][1].split()[0]) - created) < 60, f"create_time: {found[2]}, {found[1]}")  # postdrop's clock, and cleanup's
    wanted = [b"create_time=%d" % created, b"rewrite_context=local", b"root", b"root@mx.test.invalid",
              b"dsn_orig_rcpt=rfc822;bob@second.example", b"bob@second.example", b"bob@second.example", b""]
    need([value for _, value in found[2:10]] == wanted, f"envelope: {found[2:10]}")
    offset = raw.index(b"M\0N") + 2
    need(fields[1] == offset, f"content begins at {offset}, not {fields[1]}")
    total = sum(len(line) + 1 for line in content)
    need(fields[0] == raw.index(b"X\0", offset) - offset, f"content takes {raw.index(b'X', offset) - offset} bytes, not {fields[0]}")
    day = rb"\w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000 \(UTC\)"
    lines = [rb"Received: by mx\.test\.invalid \(Postfix, from userid 0\)", rb"\tid " + name.encode() + rb"; " + day,
             rb"Date: Fri, 15 Jul 2011 18:16:25 \+0800", rb"To: bob@second\.example", rb"Subject: test",
             rb"User-Agent: Heirloom mailx 12\.4 7/29/08", rb"MIME-Version: 1\.0", rb"Content-Type: text/plain;", rb" charset=us-ascii",
             rb"Content-Transfer-Encoding: 7bit", rb"Message-Id: <\d{14}\." + name.encode() + rb"@mx\.test\.invalid>",
             rb"From: root@mx\.test\.invalid \(root\)", rb"", rb"test"]
    need(len(content) == len(lines), f"{len(content)} content records: {content}")
    for line, pattern in zip(content, lines):
        need(re.fullmatch(pattern, line), f"content record {line!r}, not {pattern!r}")
    need(raw.endswith(b"E\0") and b"N\0N\x04testX\0" in raw, "the tail differs")
    return f"{size[0]} {size[1].decode()}; {kinds}; content {total} with line ends"


@row("F6", "an address that does not exist: a second message, the notice, comes in by incoming")
def f6(e: Evidence) -> str:
    trace = e.traces["gone"]
    calls = worked(trace, "qmgr")
    told = log_line(e, "gone", rf"bounce\[\d+\]: ({QUEUE_ID}): sender non-delivery notification: ({QUEUE_ID})$")
    failed, notice = told[1], told[2]
    log_line(e, "gone", rf"{failed}: to=<nobody@gone\.example>, .*dsn=5\.4\.4, status=bounced \(Host or domain name not found\.")
    log_line(e, "gone", rf"{notice}: from=<>, ")
    listed = first(calls, r'^openat?\(.*"incoming", ')
    _, one, _ = activated(trace, failed)
    smtp = after(calls, one, r'^connect\(.*"private/smtp"')
    bounce = after(calls, smtp, r'^connect\(.*"private/bounce"')
    again = after(calls, bounce, r'^openat?\(.*"incoming", ')
    _, two, _ = activated(trace, notice)
    local = after(calls, two, r'^connect\(.*"private/local"')
    gone = [first(calls, rf'^unlink(at)?\(.*"active/{name}"(, 0)?\) = 0') for name in (failed, notice)]
    need(listed.at < one.at and again.at < two.at and gone[0].at > bounce.at and gone[1].at > local.at, "in another order")
    return f"{text(one)}; {text(again)}; {text(two)}"
