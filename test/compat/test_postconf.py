"""postconf beside Debian's: what it prints, how it ends, and what it makes of main.cf and master.cf."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import re
import shlex
import time
from collections.abc import Iterator

import pytest

from harness import paths
from harness.installed import Installed
from harness.oracle import Postfix

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("sbin/postconf")]

MAIN = """\
compatibility_level = 3.6
myhostname = mx.test.invalid
inet_protocols = ipv4
alias_maps =
# a note
foo_unused = 1
mine = $other
# an old one
  # inside
other = x
smtpd_recipient_restrictions = permit_mynetworks,
    $mine, $undefd
    # a note in between
    reject
relay_destination_concurrency_limit = 3
nosuch_destination_concurrency_limit = 3
relay_domains = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b.example c.example
mydestination = a.example, b.example, c.example, d.example, e.example, f.example, g.example, h.example, i.example
"""

MASTER = """\
# comment
smtp      inet  n       -       n       -       -       smtpd
  -o foo=bar -o { smtpd_client_restrictions = permit_mynetworks, reject }
# in between
  -o smtpd_tls_security_level=encrypt
127.0.0.1:2525 inet n - y 30? 5 smtpd -v -o myvar=1

pickup    unix  n       -       n       60      1       pickup
qmgr      unix  n       -       n       300     1       qmgr
maildrop  unix  -       n       n       -       -       pipe
  flags=DRhu user=vmail argv=/usr/bin/maildrop -d ${recipient} ${unknown1} $myvar
relay unix - - n - - smtp -o syslog_name=postfix/$service_name -o unknown_thing=1
"""

SHOWN = [
    "-n", "-nf", "-nh", "-nH", "-C user", "-C service -n", "-C builtin -n", "-C user,service -n", "-C foo", "-C builtin mine", "-C service -d",
    "-x mine smtpd_recipient_restrictions", "-n mine mynetworks other", "mine", "-h mine", "-H mine", "-f mydestination relay_domains", "-hf mydestination",
    "nosuch", "foo_unused", "-o mine=3 mine", "-o mine=3 -n", "-p mine", "-l", "-d myhostnam", "-d -n", "-F -M", "-e -X a", "-P#", "-e a",
    "-M", "-Mf", "-M smtp/inet relay", "-M smtp.inet", "-M nosuch/unix", "-M '*/unix'", "-M qmgr pickup",
    "-F", "-Fh smtp", "-F '*/unix/command'", "-F smtp/inet/chroot smtp/inet/bogus", "-FH relay", "-F nosuch", "-F 127.0.0.1:2525/inet/wakeup",
    "-P", "-P smtp/inet", "-P smtp/inet/foo", "-Ph smtp/inet/foo", "-PH smtp", "-P '*/*/foo'", "-P nosuch/unix/foo", "-P qmgr",
]

CHANGED = [
    "a=b", "-e mine=3", "-e 'other = two words'", "-e smtpd_recipient_restrictions=reject", "-e a", "-# mine nosuch", "-X other nosuch2",
    "-# smtpd_recipient_restrictions", "-X smtpd_recipient_restrictions",
    "-M relay/unix='relay unix - - n - 7 smtp -o a=b'", "-Me new/inet='new inet n - n - 7 smtpd   -o  a=b'", "-Me new/inet='new inet n - n -'",
    "-MX pickup/unix", "-MX smtp/inet", "-M# qmgr/unix", "-M# smtp/inet", "-MX nosuch/unix", "-MX '*/unix'",
    "-F smtp/inet/chroot=y", "-F '*/unix/process_limit=99'", "-F 'smtp/inet/command=smtpd -v'", "-F smtp/inet/bogus=v", "-F nosuch/inet/chroot=v",
    "-F smtp/inet/chroot=v", "-F maildrop/unix/wakeup=5", "-F smtp/inet/chroot='y n'", "-F smtp/inet/service='a b'", "-F smtp/inet/wakeup=0",
    "-P smtp/inet/foo=baz", "-P smtp/inet/other=1 maildrop/unix/x=2", "-PX smtp/inet/foo", "-PX smtp/inet/nosuch", "-P '*/unix/verbose=1'",
    "-P nosuch/unix/a=b",
]


@pytest.fixture(scope="module")
def systems() -> Iterator[tuple[Installed, Installed]]:
    """Debian's, and Debian's with our postconf."""
    with Postfix() as debian, Postfix(swapped={"postconf": paths.our_program("postconf")}) as ours:
        yield debian, ours


def outcome(system: Installed, words: str, *, fresh: bool = True) -> tuple[int, str, list[str], str, str]:
    for name, text in (("main.cf", MAIN), ("master.cf", MASTER)) if fresh else ():
        system.room.write(f"/etc/postfix/{name}", text)
        os.utime(system.room.path(f"/etc/postfix/{name}"), (time.time() - 10,) * 2)
    done = system.run(["postconf", *shlex.split(words)], check=False)
    files = [system.room.path(f"/etc/postfix/{name}").read_text() for name in ("main.cf", "master.cf")]
    # In which order names are warned of is chance there.
    return done.returncode, done.stdout, sorted(done.stderr.splitlines()), files[0], files[1]


@pytest.mark.parametrize("words", [*SHOWN, *CHANGED])
def test_like_debians(systems: tuple[Installed, Installed], words: str) -> None:
    debian, ours = systems
    status, shown, said, *files = outcome(ours, words)
    for i, line in enumerate(said):
        if found := re.fullmatch(r'(.* whitespace in non-command field): "(.*)"', line):  # Debian's does not tell which
            assert found[2] in words.replace("'", "")
            said[i] = found[1]
    assert (status, shown, said, *files) == outcome(debian, words)


# -T is none of ours.
LETTERS = "aAbdefFhHlmMnpPtvxX#"
TOGETHER = [
    *(f"-{first} -{second}" for first, second in itertools.combinations_with_replacement(LETTERS, 2)), *(f"-o x=1 -{letter}" for letter in LETTERS),
    *(f"-{letter} a=b" for letter in "aAbdfhHlmntxX#"), "-b a b", "-a -A -l", "-h -H -a", "-h -H -e", "-e -h -X", "-h -x -f -X a", "-d -n -o x=1", "-F -d -e", "-F -M -d", "-o y",
    *(f"-{mode} {name}" for mode in ("Me", "Fe", "Pe") for name in ("a", "a=b", "=b", "a/b=c", "a/b/=c")), "-MX a", "-M# a/b/c", "-PX a/b", "-e =b",
]


def test_what_contradicts(systems: tuple[Installed, Installed]) -> None:
    """Debian's takes a second for each error."""
    def said(system: Installed, words: str) -> tuple[str, int, list[str]]:
        status, _, stderr, *_ = outcome(system, words, fresh=False)
        return words, status, [line for line in stderr if re.match("postconf: (warning|fatal):", line)]  # not what -v tells

    for system in systems:
        outcome(system, "-n")  # configures it
    with concurrent.futures.ThreadPoolExecutor(40) as several:
        debian, ours = ([*several.map(lambda words, system=system: said(system, words), TOGETHER)] for system in systems)  # type: ignore[misc]
    assert ours == debian


@pytest.mark.parametrize("command", ["postqueue -p", "postconf -n alias_maps", "postmap -q a inline:{a=b}", "postcat -q X", "postsuper -d X1"])
def test_warnings_of_the_reader(systems: tuple[Installed, Installed], command: str) -> None:
    """What is skipped in main.cf is said by every command."""
    program = command.split()[0]
    said = []
    for system in systems:
        text = system.room.path("/etc/postfix/main.cf")
        text.write_text("  leading = 1\ncompatibility_level = 3.6\nmyhostname = mx.test.invalid\ninet_protocols = ipv4\nalias_maps =\n")
        os.utime(text, (time.time() - 10,) * 2)
        our_program = paths.build_root() / "sbin" / program
        own = system is systems[1] and our_program.exists()
        done = system.run([our_program if own else program, *shlex.split(command)[1:]], check=False)
        said.append([line for line in done.stderr.splitlines() if "main.cf" in line])
    assert said[0] == said[1] and len(said[0]) == 1


TEMPLATES = "failure_template = <<EOF\nCharset: us-ascii\nFrom: X <x@y>\nSubject: S\n\nHi $myhostname, $maximal_queue_lifetime_days\nEOF\n\n"


@pytest.mark.needs_program("libexec/bounce")
@pytest.mark.parametrize("words", ["-t", "-b", "-t templates", "-b templates", "-t nosuch", "-t -o x=1"])
def test_words_of_notices(words: str) -> None:
    """Of those that are given here; the built-in ones are our own."""
    shown = []
    for bounce in ({}, {"bounce": paths.our_program("bounce"), "postconf": paths.our_program("postconf")}):
        with Postfix(swapped=bounce) as system:
            kinds = ("failure", "delay", "success", "verify")
            system.room.write("/etc/postfix/templates", "".join(TEMPLATES.replace("failure", kind) for kind in kinds))
            system.room.write("/etc/postfix/main.cf", f"{MAIN}bounce_template_file = /etc/postfix/templates\n")
            done = system.run(["sh", "-c", f"cd /etc/postfix; postconf {words}"], check=False)
            shown.append((done.returncode, done.stdout, re.sub("^postfix/", "", done.stderr)))
    assert shown[1] == shown[0]
