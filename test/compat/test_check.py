"""What `postfix check` says of an installation whose owners, modes, links and files are not as they should be: ours as Debian's."""

from __future__ import annotations

import concurrent.futures
import functools
import re

import pytest

from harness.installed import Installed
from harness.oracle import Postfix
from harness.waybill import Waybill
from scenarios.where import marks

pytestmark = [*marks("postfix"), *marks("waybill", ["sbin/postsuper"])]
SYSTEMS = (Postfix, Waybill)

# Q is the queue directory, C the configuration, D the data directory, P the daemons.  What stands together is looked at
# together, since each look of Debian's takes a while.
SPOILT = {
    "nothing": ":",
    "a queue of users": """
        chown alice $Q; chmod g+w $Q
        chown postfix $Q/pid; chmod o+w $Q/pid
        chgrp mail $Q/maildrop $Q/public
        chown alice $Q/private
        touch $Q/hold/0123456789A; chown postfix $Q/hold/*; postsuper hold; chown alice $Q/hold/*
        touch $Q/public/x
        /usr/bin/python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$Q/private/x')"
        touch $Q/bounce/AAA; chown alice $Q/bounce/AAA
        mkdir $Q/other; chown alice $Q/other
    """,
    "a queue that all may write": "chmod o+w $Q",
    "active of root": "chown root $Q/active",
    "maildrop of root": "chown root $Q/maildrop",
    "a configuration of users": """
        chown alice $C/main.cf $C
        chmod g+w $C/master.cf
        touch $C/t; chmod 666 $C/t
        mkdir $C/sub; touch $C/sub/f; chown alice $C/sub/f
    """,
    "links": """
        ln -s /etc/passwd $C/out
        ln -s ../passwd $C/parent
        mkdir $C/sub; touch $C/sub/f; ln -s sub/f $C/below
        ln -s sub $C/inside
        ln -s main.cf $C/of-alice; chown -h alice $C/of-alice
        ln -s no-such-file $C/nowhere
        touch /etc/w; chmod 666 /etc/w; ln -s /etc/w $C/writable
    """,
    "programs of users": """
        chown alice $P/smtpd; chmod g+w $P/smtpd
        touch $P/../x.so; chmod 666 $P/../x.so
        chmod 755 /usr/sbin/postdrop
        chgrp mail /usr/sbin/postqueue; chmod 2755 /usr/sbin/postqueue
        rm -f /usr/lib/sendmail; echo x >/usr/lib/sendmail
    """,
    "commands that not all may run": "chmod 2750 /usr/sbin/postqueue",
    "data": "touch $D/root.db $D/x.db; chown postfix $D/x.db; chmod 666 $D/x.db; ln -s /etc/passwd $D/link",
    "a data directory of root": "chown root $D",
    "copies for a chroot": """
        mkdir -p $Q/etc/deep $Q/etc/ssl $Q/usr/bin $Q/lib
        cp /etc/hosts $Q/etc/hosts; echo x >>$Q/etc/hosts
        cp /etc/services $Q/etc/services
        cp /etc/hosts $Q/etc/deep/hosts; chown alice $Q/etc/deep/hosts
        echo x >$Q/etc/ssl/openssl.cnf
        echo x >$Q/usr/bin/env
        echo x >$Q/lib/nothing
    """,
    "damaged messages": "mkdir $Q/corrupt/A; touch $Q/corrupt/A/A123 $Q/corrupt/B123; chown -R postfix $Q/corrupt/*",
    "missing folders": "rmdir $Q/hold $Q/saved $Q/flush",
    "folders of other modes": "chmod 777 $Q/active $Q/maildrop $Q/public",
    "no folders at all": "rm -rf $Q/*",
    **{setting: f"postconf -e '{setting}'" for setting in (
        "mail_owner=nosuch", "mail_owner=root", "mail_owner=nobody", "default_privs=nosuch", "default_privs=root", "default_privs=postfix",
        "setgid_group=nosuch", "setgid_group=root", "setgid_group=nogroup", "setgid_group=postfix", "inet_protocols=ipv5, ipv4")},
}

NAMES = "Q=/var/spool/postfix C=/etc/postfix D=/var/lib/postfix P=/usr/lib/postfix/sbin K=/home/kept\n"

KEEP = NAMES + "mkdir $K; cp -a $Q $K/Q; cp -a $C $K/C; cp -a $D $K/D; cp -a $P/smtpd /usr/sbin/postdrop /usr/sbin/postqueue /usr/lib/sendmail $K/"

RESTORE = NAMES + r"""
for folder in Q C D; do
	eval "place=\$$folder"
	find $place -mindepth 1 -delete
	cp -a $K/$folder/. $place/
done
rm -f /etc/w $P/../x.so /usr/lib/sendmail
cp -a $K/smtpd $P/; cp -a $K/postdrop $K/postqueue /usr/sbin/; cp -a $K/sendmail /usr/lib/
"""


def check(system: Installed, number: int, script: str) -> list[str]:
    system.log.mark()
    system.room.shell(NAMES + script)
    status = system.run(["postfix", "check"], check=False).returncode
    system.run(["logger", "-t", "marker", f"end of {number}"])
    system.log.wait(f"end of {number}$")
    said = [line.text for line in system.log.lines() if line.program == "postfix-script" or "fatal" in line.text]
    # Which function of postsuper fails, and where a file came to lie, is the programs' own.
    said = [re.sub(r"(scan_dir_push: |(?<=hold/)[0-9A-F]+)", "", line) for line in said]
    folders = system.room.shell(NAMES + "cd $Q; stat -c '%n %a %U %G' *").splitlines()
    system.room.shell(RESTORE)
    return [f"status {status}", *sorted(said), *folders]


def check_all(make: type[Postfix] | type[Waybill]) -> dict[str, list[str]]:
    with make() as system:
        system.write_configuration()
        system.run(["postfix", "check"])
        system.room.shell(KEEP)
        return {name: check(system, number, script) for number, (name, script) in enumerate(SPOILT.items())}


@functools.cache
def both() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(check_all, SYSTEMS)
    return theirs, ours


@pytest.mark.parametrize("name", SPOILT)
def test_same(name: str) -> None:
    theirs, ours = both()
    assert ours[name] == theirs[name]


def test_a_bad_row() -> None:
    """A stop, which needs no rows, is still obeyed."""
    with Waybill() as system:
        system.start()
        system.room.shell("echo 'smtp inet n' >>/etc/postfix/master.cf")
        for command, status in (("check", 1), ("reload", 1), ("stop", 0), ("start", 1)):
            done = system.run(["postfix", command], check=False)
            system.log.settle()
            assert done.returncode == status
            assert bool(re.search(r"fatal: .*/etc/postfix/master\.cf: line \d+: ", done.stderr + system.log.text())) == (status == 1), command
            system.log.mark()


def test_most_is_told() -> None:
    assert sum("warning" in line or "fatal" in line for lines in both()[1].values() for line in lines) >= 40
