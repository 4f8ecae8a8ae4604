"""What sendmail(1) says and how it ends, when it cannot do what it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.walkthrough.rows import records
from harness.oracle import Postfix
from harness.system import System

from .where import everywhere, make

FAILS = {
    "no recipients": ([], "x\n", "fatal: root(0): Recipient addresses must be specified on the command line or via the -t option"),
    "no recipients in the header": (["-t", "-f", "carol@far.example"], "Subject: x\n\n",
                                    "fatal: carol@far.example(0): No recipient addresses found in message header"),
    "message too big": (["alice"], ("x" * 70 + "\n") * 1000, "fatal: root(0): message file too big"),
}


@pytest.fixture(scope="module", params=everywhere(only=("postfix", "waybill")))
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, ["message_size_limit = 20000"]) as made:
        made.start()
        yield made


@pytest.mark.scenario
@pytest.mark.parametrize("name", FAILS)
def test_fails(system: System, name: str) -> None:
    options, text, says = FAILS[name]
    done = system.run(["sendmail", *options], input=text, check=False)
    assert done.returncode == 75
    assert done.stderr.splitlines()[-1] == f"sendmail: {says}"
    assert not any(system.queue().values())


@pytest.mark.scenario
def test_tells_who_gets_the_report_without_a_terminal(system: System) -> None:
    assert system.run(["sendmail", "-bv", "alice"]).stdout == "Mail Delivery Status Report will be mailed to <root>.\n"
    system.wait_queue()


@pytest.fixture(scope="module", params=everywhere(only=("postfix", "waybill")))
def choosy(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, ["authorized_submit_users = bob, farid", "authorized_mailq_users = bob", "authorized_flush_users = bob"]) as made:
        made.start()
        yield made


AS = {"alice": ["runuser", "-u", "alice", "--"], "bob": ["runuser", "-u", "bob", "--"],
      "unknown": ["setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups"]}
FORBIDDEN = {"sendmail -f x alice": "sendmail: fatal: User {} is not allowed to submit mail\n", "postqueue -p": "postqueue: fatal: User {} is not allowed to view the mail queue\n",
             "postqueue -f": "postqueue: fatal: User {} is not allowed to flush the mail queue\n"}


@pytest.mark.scenario
@pytest.mark.parametrize("command", FORBIDDEN)
def test_who_may(choosy: System, command: str) -> None:
    said = {user: choosy.run([*AS[user], *command.split()], input="Subject: x\n\n", check=False) for user in AS}
    assert said["bob"].returncode == 0
    assert [said[user].stderr for user in ("alice", "unknown")] == [FORBIDDEN[command].format(who) for who in ("alice(20001)", "unknown(4242)")]
    choosy.wait_queue()


GETENT = """#!/bin/sh
[ "$*" != "passwd 4242" ] || echo "farid:x:4242:4242::/:/bin/sh"
id -g >/var/mail/getent.group; id -G >>/var/mail/getent.group
"""


@pytest.mark.scenario
def test_user_who_is_known_elsewhere(choosy: System) -> None:
    """postdrop asks getent(1) for whom /etc/passwd does not name; that has none of its rights."""
    if isinstance(choosy, Postfix):
        pytest.skip("it asks the C library alone")
    said = choosy.run(["sh", "-ec", 'mv /usr/bin/getent /usr/bin/getent.own; printf %s "$1" >/usr/bin/getent; chmod 755 /usr/bin/getent; '
                       "rm -f /var/mail/getent.group; shift; status=0; \"$@\" || status=$?; mv /usr/bin/getent.own /usr/bin/getent; exit $status",
                       "sh", GETENT, *AS["unknown"], "sendmail", "-f", "farid", "alice"], input="Subject: x\n\n", check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert choosy.run(["cat", "/var/mail/getent.group"]).stdout.split() == ["4242", "4242"]
    choosy.wait_queue()


LISTS = {
    "x y@h.test": ["x", "y@h.test"], "a, b": ["a", "b"], "Name <a@b>": ["a@b"], "(c) a": ["a"], "a@b;c@d": ["a@b", "c@d"], "g: a, b;": ["a", "b"],
    '"q r"@h': ["q r@h"], "a\\@b": ["a@b"], ":include:/x": [":include:/x"], "<a@b": ["<a@b"], "a@b c": ["a@b", "c"], "@h:a@b": ["@h:a@b"],
    "a(x)b@c": ["a", "b@c"], '"a': ["a"], "-": ["-"], "": [""], "<>": [""], ",": [""],
}
SENDERS = {"a b@x": ("a", True), "": ("", False), "<>": ("", False), "Name <x@y>": ("x@y", False), "a, b": ("a", True), '"q r"@h': ("q r@h", False),
           "(c) z": ("z", False), "a@b@c": ("a@b@c", False)}
REFUSED = {
    "-bi bob": "alias initialization mode requires no recipient", "-I bob": "alias initialization mode requires no recipient", "-bd bob": "daemon mode requires no recipient",
    "-bl bob": "daemon mode requires no recipient", "-bp bob": "display queue mode requires no recipient", "-bs bob": "stand-alone mode requires no recipient",
    "-q bob": "flush queue mode requires no recipient", "-qIx bob": "flush queue_id requires no recipient", "-qRx bob": "flush site requires no recipient",
    "-qx": "-qx is not implemented", "-qSx": "-qS is not implemented", "-bz": "unsupported: -bz",
}


@pytest.fixture(scope="module", params=everywhere(only=("postfix", "waybill")))
def stopped(request: pytest.FixtureRequest) -> Iterator[System]:
    """Nobody takes what is dropped."""
    with make(request.param) as made:
        made.start()
        made.stop()
        yield made


def dropped(system: System, *arguments: str) -> tuple[dict[str, list[str]], str, int]:
    """Sender and recipients in the file that was made, which goes; and what was said, and the status."""
    done = system.run(["sendmail", "-i", *arguments], input="Subject: x\n\nx\n", check=False)
    found: dict[str, list[str]] = {"sender": [], "recipient": []}
    for file in system.queue()["maildrop"]:
        for line in system.run(["postcat", "-e", f"/var/spool/postfix/maildrop/{file.name}"], check=False).stdout.splitlines():
            name, _, value = line.partition(": ")
            if name.rstrip(":") in found:
                found[name.rstrip(":")].append(value)
        file.unlink()
    return found, done.stderr, done.returncode


@pytest.mark.scenario
@pytest.mark.parametrize("text", LISTS)
def test_recipients_of_an_argument(stopped: System, text: str) -> None:
    assert dropped(stopped, "--", text) == ({"sender": ["root"], "recipient": LISTS[text]}, "", 0)


@pytest.mark.scenario
def test_options_end_with_the_first_recipient(stopped: System) -> None:
    assert dropped(stopped, "alice", "-f", "bob@x.test") == ({"sender": ["root"], "recipient": ["alice", "-f", "bob@x.test"]}, "", 0)


@pytest.mark.scenario
@pytest.mark.parametrize("text", SENDERS)
def test_sender_of_an_argument(stopped: System, text: str) -> None:
    sender, warned = SENDERS[text]
    warning = f"sendmail: warning: -f option specified malformed sender: {text}\n" if warned else ""
    assert dropped(stopped, "-f", text, "bob") == ({"sender": [sender], "recipient": ["bob"]}, warning, 0)


@pytest.mark.scenario
@pytest.mark.parametrize("text", REFUSED)
def test_no_mail_no_recipients(stopped: System, text: str) -> None:
    assert dropped(stopped, *text.split()) == ({"sender": [], "recipient": []}, f"sendmail: fatal: {REFUSED[text]}\n", 75)


LINES = {
    "no newline at the end": b"Subject: x\n\nx", "nothing": b"", "a newline": b"\n", "empty lines": b"\n\n\n", "CRLF": b"a: b\r\n\r\nc\r\n",
    "as long as a record": b"\n" + b"x" * 2048 + b"\n" + b"y" * 2047 + b"\nz\n", "longer": b"\n" + b"x" * 2049 + b"\n" + b"y" * 5000 + b"\n" + b"z" * 4096,
    "many reads": b"\n" + b"".join(b"%d%s\n" % (i, b"x" * (i % 300)) for i in range(1000)), "a NUL": b"\na\0b\n",
}


@pytest.mark.scenario
@pytest.mark.parametrize("name", LINES)
def test_content_in_records(stopped: System, name: str) -> None:
    stopped.run(["sendmail", "-i", "alice"], input=LINES[name])
    [file] = stopped.queue()["maildrop"]
    texts = [(kind, text) for kind, text in records(file.read_bytes()) if kind in "LN"]
    file.unlink()
    content = b"".join(text + (b"\n" if kind == "N" else b"") for kind, text in texts)
    assert content.removesuffix(b"\n") == LINES[name].replace(b"\r\n", b"\n").removesuffix(b"\n")
    assert all(len(text) <= 2048 for _, text in texts)


@pytest.mark.scenario
@pytest.mark.parametrize("text", ["-q10m", "-q10m bob", "-q1x"])
def test_queue_interval(stopped: System, text: str) -> None:
    assert dropped(stopped, *text.split()) == ({"sender": [], "recipient": []}, "", 0)


@pytest.mark.scenario
@pytest.mark.parametrize(("options", "name"), [([], "From Afar"), (["-F", "By Option"], "By Option")])
def test_full_name(system: System, options: list[str], name: str) -> None:
    before = len(system.mailbox("carol"))
    system.run(["sh", "-c", 'NAME="From Afar" exec sendmail "$@"', "sh", *options, "carol"], input="Subject: x\n\nx\n")
    assert f"\nFrom: {name} <root@" in system.wait_mailbox("carol", before + 1)[-1]
