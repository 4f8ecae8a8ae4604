"""local(8) when something goes wrong around it: full and closed disks, programs that hang or kill, parts of it that die."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from harness.system import System
from harness.waybill import Instance

from .where import everywhere, make

ALIASES = r"""
hang: "|sleep 600 & echo $! >/home/work/hang; wait"
kills: "|kill -9 $PPID; sleep 600"
waits: "|echo $$ >/home/work/begun; while [ ! -e /home/work/go ]; do sleep 0.05; done; cat >/home/work/got"
files: /home/small/box
tool: "|/usr/bin/procmail -d alice"
cases: /home/work/one, /home/work/One, /home/work/one, "|cat >>/home/work/two", "|cat >>/home/work/Two"
twice: counts, both
both: Counts
counts: "|echo x >>/home/work/counted"
"""
MAIN = ("alias_maps = hash:/etc/aliases", "deliver_lock_attempts = 2", "deliver_lock_delay = 1s", "command_time_limit = 2s", "biff = no",
        "recipient_delimiter = +", "transport_retry_time = 1s", "mailbox_command_maps = inline:{{carol=/usr/bin/procmail -a \"$$EXTENSION\"}}")
BIG = "Subject: big\n\n" + 3000 * f"{'x' * 60}\n"
PROCMAILRC = """\
ARG = $1
:0:
* ^Subject:.*list
$HOME/list
:0
* ARG ?? ^bad$
{ EXITCODE=67 HOST }
:0 fw
* ^Subject: filtered
| sed 's/before/after/'
"""


def begin(system: System) -> None:
    system.write_configuration()
    system.run(["sh", "-ec", 'printf %s "$1" >/etc/aliases; postalias /etc/aliases; mkdir -m 777 /home/small /home/work', "sh", ALIASES])
    system.start()


@pytest.fixture(scope="module", params=everywhere("libexec/local", only=("postfix", "waybill")))
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, MAIN) as one:
        begin(one)
        yield one


@pytest.fixture(scope="module", params=everywhere("libexec/local", only=("waybill",)))
def ours(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, (*MAIN, "command_time_limit = 60s", "deliver_lock_delay = 60s")) as one:
        begin(one)
        yield one


def shell(system: System, script: str) -> str:
    return system.run(["sh", "-ec", script]).stdout


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def attempt(system: System, to: str, text: str, sender: str) -> str:
    """Sends TEXT and waits for what local(8) says of it: "4.2.0 deferred (...)"."""
    system.send(to, text=text, sender=sender)
    return outcome(system, sender, 1)


def outcome(system: System, sender: str, count: int) -> str:
    """The COUNTth outcome of the message from SENDER."""
    said: list[tuple[str, ...]] = []

    def heard() -> bool:
        log = system.log.text()
        ids = re.findall(rf"qmgr\[\d+\]: (\w+): from=<{re.escape(sender)}>", log)
        said[:] = [found for one in ids[:1] for found in re.findall(rf"local\[\d+\]: {one}: to=.*dsn=([\d.]+), status=(\w+ .*)", log)]
        return len(said) >= count

    until(heard, f"{count} outcomes of {sender}'s message: {said}\n{system.log.text()}")
    return " ".join(said[count - 1])


# ---- disks ----

@pytest.mark.fault("full disk at local")
def test_full_disk(system: System) -> None:
    """The message waits and the mailbox is as it was; with room it comes, whole, and once."""
    shell(system, "mount -t tmpfs -o size=64k,mode=777 none /home/small")
    assert attempt(system, "files", "small\n", "disk-1@test.invalid") == "2.0.0 sent (delivered to file: /home/small/box)"
    before = shell(system, "cat /home/small/box")
    assert attempt(system, "files", BIG, "disk-2@test.invalid") == (
        "4.3.0 deferred (cannot append message to file /home/small/box: error writing message: No space left on device)")
    assert shell(system, "cat /home/small/box; ls /home/small") == before + "box\n"
    shell(system, "mount -o remount,size=4m /home/small; sendmail -q")
    assert outcome(system, "disk-2@test.invalid", 2) == "2.0.0 sent (delivered to file: /home/small/box)"
    assert shell(system, "grep -c ^xxx /home/small/box; grep -c '^From ' /home/small/box; umount /home/small").split() == ["3000", "2"]


@pytest.mark.fault("full inodes at local")
def test_full_inodes(system: System) -> None:
    """No room for the lock, which a file may do without, and then none for the mailbox itself."""
    shell(system, "mount -t tmpfs -o nr_inodes=2,mode=777 none /home/small; touch /home/small/filled")
    said = attempt(system, "files", "small\n", "inodes@test.invalid")
    assert said == "4.3.0 deferred (cannot append message to file /home/small/box: cannot create file exclusively: No space left on device)"
    shell(system, "rm /home/small/filled; mount -o remount,nr_inodes=10 /home/small; sendmail -q")
    assert outcome(system, "inodes@test.invalid", 2) == "2.0.0 sent (delivered to file: /home/small/box)"
    shell(system, "umount /home/small")


def test_full_maildir(system: System) -> None:
    shell(system, "mount -t tmpfs -o size=64k,mode=777 none /home/small; printf '/home/small/dir/\n' >/home/bob/.forward; chown bob /home/bob/.forward")
    assert attempt(system, "bob", BIG, "maildir@test.invalid") == (
        "4.3.0 deferred (maildir delivery failed: error writing message: No space left on device)")
    assert shell(system, "find /home/small/dir -type f") == ""
    shell(system, "mount -o remount,size=4m /home/small; sendmail -q")
    assert outcome(system, "maildir@test.invalid", 2) == "2.0.0 sent (delivered to maildir)"
    assert shell(system, "cat /home/small/dir/new/* | grep -c ^xxx; umount /home/small; rm /home/bob/.forward").split() == ["3000"]


def test_names_of_files_and_commands_are_taken_by_the_letter(ours: System) -> None:
    """Debian's takes One for one, and puts nothing there."""
    assert attempt(ours, "cases", "by the letter\n", "cases@test.invalid") == "2.0.0 sent (delivered to file: /home/work/one)"
    outcome(ours, "cases@test.invalid", 4)
    assert shell(ours, "cd /home/work; grep -c letter one One two Two").split() == ["one:1", "One:1", "two:1", "Two:1"]


def test_a_user_is_one_however_he_is_written(system: System) -> None:
    attempt(system, "twice", "x\n", "twice@test.invalid")
    system.wait_queue()
    assert shell(system, "cat /home/work/counted") == "x\n"


# ---- commands ----

def test_command_that_hangs(system: System) -> None:
    """It and what it started are gone at the time limit."""
    said = attempt(system, "hang", "x\n", "hang@test.invalid")
    assert said == '5.3.0 bounced (Command time limit exceeded: "sleep 600 & echo $! >/home/work/hang; wait")'
    until(lambda: shell(system, 'kill -0 "$(cat /home/work/hang)" 2>/dev/null || echo gone') == "gone\n", "the command's child lives on")


def test_procmail(system: System) -> None:
    shell(system, f"cat >/home/carol/.procmailrc <<'END'\n{PROCMAILRC}END\nchown carol /home/carol/.procmailrc; chmod 644 /home/carol/.procmailrc")
    command = 'sent (delivered to command: /usr/bin/procmail -a "$EXTENSION")'
    assert attempt(system, "carol", "Subject: filtered\n\nbefore\n", "box@test.invalid") == f"2.0.0 {command}"
    assert attempt(system, "carol", "Subject: a list\n\nx\n", "list@test.invalid") == f"2.0.0 {command}"
    assert attempt(system, "carol+bad", "Subject: x\n\nx\n", "bad@test.invalid").startswith("5.1.1 bounced (user unknown")
    mailbox = system.mailbox("carol")
    assert len(mailbox) == 1 and mailbox[0].startswith("From box@test.invalid  ") and mailbox[0].endswith("\n\nafter\n\n")
    assert shell(system, "grep ^Subject /home/carol/list; stat -c '%U %a' /home/carol/list /var/mail/carol") == "Subject: a list\ncarol 600\ncarol 600\n"


# ---- what only our parts can do to each other ----

def test_command_kills_who_watches_it(ours: System) -> None:
    """Its own mail waits, nobody else's."""
    assert attempt(ours, "kills", "x\n", "kills@test.invalid") == "4.3.0 deferred (temporary failure)"
    assert "delivery process failure" in ours.log.text()
    assert attempt(ours, "alice", "x\n", "after@test.invalid") == "2.0.0 sent (delivered to mailbox)"
    ours.run(["postsuper", "-d", "ALL"])


def test_lock_that_is_soon_gone(ours: System) -> None:
    """Nobody waits for a whole deliver_lock_delay."""
    shell(ours, "touch /home/small/box.lock; chmod 666 /home/small/box.lock")
    ours.send("files", sender="lock@test.invalid")
    until(lambda: "from=<lock@test.invalid>" in ours.log.text(), "the message is on its way")
    begun = time.monotonic()
    shell(ours, "sleep 0.2; rm /home/small/box.lock")
    assert outcome(ours, "lock@test.invalid", 1) == "2.0.0 sent (delivered to file: /home/small/box)"
    assert time.monotonic() - begun < 30


def local_processes(system: System) -> tuple[int, int]:
    """local(8) that master started, and its spawner."""
    master = system.master_pid()
    all_of_them = [process for process in system.processes() if process.argv.startswith("local ")]
    main = next(process for process in all_of_them if process.parent == master)
    return main.pid, next(process.pid for process in all_of_them if process.parent == main.pid)


def begin_to_wait(system: System, sender: str) -> None:
    shell(system, "rm -f /home/work/begun /home/work/go /home/work/got")
    system.send("waits", text="whole\n", sender=sender)
    until(lambda: shell(system, "cat /home/work/begun 2>/dev/null || :").endswith("\n"), "the command has begun")


def test_spawner_dies_during_a_delivery(ours: System) -> None:
    """What has begun is finished; another process takes the next."""
    begin_to_wait(ours, "spawner@test.invalid")
    main, spawner = local_processes(ours)
    shell(ours, f"kill -9 {spawner}")
    ours.log.wait("the process that acts for users has ended")
    assert attempt(ours, "alice", "x\n", "next@test.invalid") == "2.0.0 sent (delivered to mailbox)"
    shell(ours, "touch /home/work/go")
    assert outcome(ours, "spawner@test.invalid", 1).startswith("2.0.0 sent (delivered to command: ")
    assert shell(ours, "tail -n 1 /home/work/got") == "whole\n"
    until(lambda: main not in [process.pid for process in ours.processes()], "the process without a spawner lives on")


def deputies(system: System, user: str) -> list[int]:
    """The processes of local(8) that are USER."""
    return [p.pid for p in system.processes() if p.user == user and p.argv.startswith("local ")]


def status(system: System, pid: int) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in shell(system, f"cat /proc/{pid}/status").splitlines() if ":\t" in line)


def deliver(system: System, user: str, sender: str) -> set[int]:
    assert attempt(system, user, "Subject: x\n\nx\n", sender).startswith("2.0.0 sent")
    return set(deputies(system, user))


def test_deputy_takes_the_next_job_of_its_user(ours: System) -> None:
    def one_took_two() -> bool:
        number = time.monotonic_ns()
        before = deliver(ours, "bob", f"one{number}@example.org")
        assert not before & deliver(ours, "alice", f"other{number}@example.org")
        return bool(before & deliver(ours, "bob", f"two{number}@example.org"))

    until(one_took_two, "no process took two jobs")
    until(lambda: not deputies(ours, "alice") and not deputies(ours, "bob"), "they stay")


def test_deputy_has_no_rights_but_its_users(ours: System) -> None:
    def caught() -> bool:
        """Stopped, it cannot go while it is looked at."""
        pids.extend(deliver(ours, "bob", f"caught{time.monotonic_ns()}@example.org"))
        return bool(pids) and ours.run(["kill", "-STOP", str(pids[-1])], check=False).returncode == 0

    pids: list[int] = []
    until(caught, "none waits")
    pid = pids[-1]
    says, uid, gid = status(ours, pid), *shell(ours, "id -u bob; id -g bob").split()
    assert (says["Uid"], says["Gid"], says["Groups"].split(), says["NoNewPrivs"]) == ("\t".join([uid] * 4), "\t".join([gid] * 4), [gid], "1")
    assert int(says["CapPrm"], 16) == int(says["CapEff"], 16) == 0
    files = shell(ours, f"cd /proc/{pid}/fd; for i in *; do echo $(readlink $i); done").split()
    assert sorted(re.sub(r":\[.*", "", file) for file in files) == ["/dev/null"] * 3 + ["socket"]
    assert ours.run(["runuser", "-u", "bob", "--", "cat", f"/proc/{pid}/environ"], check=False).returncode != 0
    shell(ours, f"kill -CONT {pid}")
    until(lambda: not deputies(ours, "bob"), "it stays")


def test_deputy_killed_by_its_user(ours: System) -> None:
    """The next message gets another one."""
    deliver(ours, "alice", "killer@example.org")
    shell(ours, "runuser -u alice -- pkill -9 -x local || :")
    until(lambda: not deputies(ours, "alice"), "it lives")
    deliver(ours, "alice", "killer2@example.org")


@pytest.mark.fault("kill -9")
def test_local_dies_during_a_delivery(ours: System) -> None:
    """The message is still there, and is delivered again: not before the first command, which nobody hears any more, has ended."""
    begin_to_wait(ours, "local@test.invalid")
    main, _ = local_processes(ours)
    shell(ours, f"kill -9 {main}")
    ours.wait_queue({"deferred": 1})
    ours.run(["postqueue", "-f"])
    ours.log.wait("skipped, still being delivered")
    shell(ours, "touch /home/work/go")

    def delivered() -> bool:
        ours.run(["postqueue", "-f"])
        return "sent (delivered to command" in ours.log.text().rpartition("from=<local@test.invalid>")[2]

    until(delivered, ours.log.text())
    ours.wait_queue()
    assert shell(ours, "tail -n 1 /home/work/got") == "whole\n"


# ---- without root ----

@pytest.fixture(scope="module", params=everywhere("libexec/local", only=("instance",)))
def rootless(request: pytest.FixtureRequest) -> Iterator[Instance]:
    with make(request.param) as one:
        assert isinstance(one, Instance)
        folder = one.folder
        (folder / "aliases").write_text(f'command "|id -u >{folder}/out; cat >>{folder}/out"\nfile {folder}/box\nlist :include:{folder}/list\nroot root\n')
        one.run(["sh", "-c", "echo file >list"])
        one.configure(["mydestination = $myhostname", f"alias_maps = texthash:{folder}/aliases"], ["local unix - n n - - local"])
        one.start()
        yield one


def test_rootless(rootless: Instance) -> None:
    """What is ours is done as we are, what would be another's waits."""
    def said(to: str) -> str:
        return attempt(rootless, f"{to}@mx.test.invalid", "x\n", f"{to}@test.invalid")

    me = rootless.run(["id", "-u"]).stdout
    assert said("command").startswith("2.0.0 sent (delivered to command: id -u >")
    assert (rootless.folder / "out").read_text().startswith(f"{me}From command@test.invalid  ")
    assert said("file") == said("list") == f"2.0.0 sent (delivered to file: {rootless.folder}/box)"
    assert said("root") == "4.3.0 deferred (cannot read the .forward file)"
    rootless.log.wait("warning: cannot act as user 0: the mail system runs without root")
