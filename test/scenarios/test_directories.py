"""Which configuration directories a set-gid command takes from an ordinary user."""

from __future__ import annotations

import pytest

from harness import waybill


@pytest.mark.root
@pytest.mark.scenario
@pytest.mark.needs_program(*waybill.NEEDED)
@pytest.mark.parametrize(("listed", "change", "taken"), [
    (True, ":", True), (False, ":", False), (True, "chown alice /etc/postfix/main.cf", False), (True, "chmod g+w /etc/postfix/main.cf", False)],
    ids=["listed", "not listed", "the default is not root's", "others may write the default"])
def test_other_directories(listed: bool, change: str, taken: bool) -> None:
    with waybill.Waybill() as system:
        system.configure(["alternate_config_directories = /etc/other"] if listed else [])
        system.start()
        system.room.shell(f"mkdir /etc/other; cp /etc/postfix/m*.cf /etc/other; {change}")
        done = system.run(["postqueue", "-c", "/etc/other", "-p"], user="alice", check=False)
        if taken:
            assert (done.returncode, done.stdout) == (0, "Mail queue is empty\n")
        else:
            assert done.returncode != 0 and "unauthorized configuration directory name: /etc/other" in done.stderr


@pytest.mark.root
@pytest.mark.scenario
@pytest.mark.needs_program(*waybill.NEEDED)
@pytest.mark.parametrize(("user", "change", "taken"), [
    ("alice", ":", True), ("bob", ":", False), ("alice", "chmod g+w /home/alice/etc", False), ("alice", "chown root /home/alice/etc/main.cf", False)],
    ids=["the owner's own", "another's", "others may write there", "not all the owner's"])
def test_private_instance(user: str, change: str, taken: bool) -> None:
    """Its owner needs no rights but his: the command gives up those that it has."""
    with waybill.Waybill() as system:
        system.start()
        system.room.shell(f"mkdir -p /home/alice/etc /home/alice/spool/public; printf 'queue_directory = /home/alice/spool\\n' >/home/alice/etc/main.cf; chown -R alice /home/alice/etc /home/alice/spool; {change}")
        done = system.run(["postqueue", "-c", "/home/alice/etc", "-p"], user=user, check=False)
        assert ("unauthorized configuration directory name: /home/alice/etc" in done.stderr) != taken
        assert done.returncode != 0 or taken
