"""`waybill init` and `make install` say which users, groups, alternate_config_directories and rights they need, and what they did;
what they say is so, and is enough."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from harness import paths, waybill
from harness.installed import Installed
from harness.room import Room

pytestmark = [pytest.mark.root, pytest.mark.scenario, pytest.mark.needs_program(*waybill.NEEDED, "sbin/waybill", "libexec/virtual", "libexec/postlogd")]


@pytest.fixture
def system() -> Iterator[Installed]:
    """An installed system that is not started."""
    with waybill.Waybill() as system:
        system.write_configuration()
        yield system


def folders(said: str) -> set[tuple[str, str, str]]:
    return set(re.findall(r"^    (\w+) +(\d{4})  (\w+)", said, re.M))


def as_they_are(system: Installed, place: str) -> set[tuple[str, str, str]]:
    lines = system.room.shell(f"cd {place}; stat -c '%n %04a %U' *").splitlines()
    return {(name, mode.rjust(4, "0"), owner) for name, mode, owner in map(str.split, lines)}


def accounts(system: Installed, *, keep: bool) -> None:
    if not keep:
        system.room.shell("sed -i /^postdrop:/d /etc/group /etc/gshadow; sed -i /^postfix:/d /etc/passwd /etc/group /etc/shadow /etc/gshadow")


@pytest.mark.parametrize("there", [True, False], ids=["accounts there", "accounts missing"])
def test_init_as_root(system: Installed, there: bool) -> None:
    accounts(system, keep=there)
    said = system.run(["waybill", "init", "/home/mail"]).stdout
    word = "was there" if there else "created"
    assert f"user postfix (mail_owner, {word})" in said and f"group postdrop (setgid_group, {word})" in said
    assert system.run(["getent", "group", "postdrop"]).returncode == 0
    assert folders(said) == as_they_are(system, "/home/mail")


def test_what_init_as_root_asks_for_is_enough(system: Installed) -> None:
    system.room.shell("chgrp root /usr/sbin/postdrop /usr/sbin/postqueue; chmod 755 /usr/sbin/postdrop /usr/sbin/postqueue")
    said = system.run(["waybill", "init", "/home/mail"]).stdout
    asked = [line.strip() for line in said[said.index("root has to do this:"):].splitlines()[1:3]]
    assert asked[0] == "add /home/mail/etc to alternate_config_directories in /etc/postfix/main.cf"
    assert asked[1] == "cd /usr/sbin && chgrp postdrop postdrop postqueue && chmod 2755 postdrop postqueue"
    system.run(["postfix", "-c", "/home/mail/etc", "start"])
    send = ["sendmail", "-C", "/home/mail/etc", "bob@example.test"]
    system.room.shell(asked[1])
    assert system.run(send, input="x\n", user="alice", check=False).returncode != 0
    system.run(["postconf", "-e", "alternate_config_directories = /home/mail/etc"])
    system.run(send, input="x\n", user="alice")
    system.run(["sh", "-c", "n=0; until ls /home/mail/mail/bob/new/* 2>/dev/null; do n=$((n + 1)); [ $n -lt 400 ]; sleep 0.05; done"])
    system.run(["postfix", "-c", "/home/mail/etc", "stop"])
    again = system.run(["sh", "-c", "rm -rf /home/mail; waybill init /home/mail"]).stdout
    assert "other users can use it: /home/mail/etc is in alternate_config_directories" in again


def test_init_as_a_user(system: Installed) -> None:
    accounts(system, keep=False)
    said = system.run(["waybill", "init", "/home/alice/mail", "--smtp-port", "25"], user="alice").stdout
    assert "all of it is, and runs as, alice; it needs no other user and no group" in said
    assert "port 25 is below 1024, where only root may listen" in said
    assert folders(said) == as_they_are(system, "/home/alice/mail")


@pytest.mark.parametrize("there", [True, False], ids=["accounts there", "accounts missing"])
def test_install(there: bool) -> None:
    if paths.build_root() != paths.REPO / "build/root":
        pytest.skip("tests run on another build than the one that make install installs")
    room = Room([])
    try:
        if not there:
            room.shell("sed -i /^postdrop:/d /etc/group /etc/gshadow; sed -i /^postfix:/d /etc/passwd /etc/group /etc/shadow /etc/gshadow")
        said = room.run([paths.REPO / "tools/install", "--build", paths.REPO / "build"]).stdout
        assert ("user postfix (mail_owner) was there" if there else "created user and group postfix (mail_owner)") in said
        assert ("group postdrop (setgid_group) was there" if there else "created group postdrop (setgid_group)") in said
        assert "postdrop and postqueue are set-gid postdrop" in said and "alternate_config_directories" in said
        rights = room.shell("stat -c '%n %a %U %G' /usr/sbin/postdrop /usr/sbin/postqueue /var/spool/postfix /var/lib/postfix")
        assert rights.split("\n")[:4] == ["/usr/sbin/postdrop 2755 root postdrop", "/usr/sbin/postqueue 2755 root postdrop",
                                          "/var/spool/postfix 755 root root", "/var/lib/postfix 700 postfix postfix"]
    finally:
        room.close()
