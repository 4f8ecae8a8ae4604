"""A pickup(8) whose master was killed finishes what it is at, while the next master has another: a message is taken once."""

from __future__ import annotations

import fcntl

import pytest

from harness import waybill


@pytest.mark.root
@pytest.mark.crash
@pytest.mark.needs_program(*waybill.NEEDED)
def test_what_another_one_has_is_left_alone() -> None:
    with waybill.Waybill() as system:
        system.configure(["service_throttle_time = 1s"])
        system.start()
        system.send("alice", text="Subject: first\n\n")
        system.wait_mailbox("alice")
        (pickup,) = system.children("pickup")
        system.run(["kill", "-STOP", pickup])
        system.send("bob", text="Subject: taken\n\n")
        (taken,) = system.queue()["maildrop"]
        with taken.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            system.run(["kill", "-CONT", pickup])
            system.send("alice", text="Subject: second\n\n")
            system.wait_mailbox("alice", 2)
            assert system.queue()["maildrop"] == [taken] and not system.mailbox("bob")
        system.send("alice", text="Subject: third\n\n")
        system.wait_mailbox("bob")
        system.wait_queue()
        assert len(system.mailbox("bob")) == 1
