"""What senders and postmasters are told, message by message as Debian's Postfix has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import waybill
from harness.installed import Installed
from harness.oracle import Postfix

from . import cases
from .run import MAIN, Case, Seen, run

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program(*waybill.NEEDED, "libexec/discard")]

EVERYTHING = "notify_classes = bounce, 2bounce, data, delay, policy, protocol, resource, software"
GROUPS: dict[str, tuple[Sequence[str], Mapping[str, Case]]] = {
    "sender": ([], cases.ONCE),
    "postmaster": ([EVERYTHING, "smtputf8_enable = no"], cases.COPIED),
    "limits": ([EVERYTHING, "bounce_size_limit = 2000", "hopcount_limit = 10", "header_checks = regexp:/etc/postfix/checks", "message_size_limit = 100000", "myorigin = origin.test",
                "mydestination = mx.test.invalid, localhost, origin.test"], cases.LIMITED),
    "delay": ([EVERYTHING, "delay_warning_time = 1s"], cases.WAITING),
    "delay-cleared": ([EVERYTHING, "delay_warning_time = 1s", "confirm_delay_cleared = yes"], {name: case for name, case in cases.CLEARED.items() if name != "success-and-delay"}),
    "expired": ([EVERYTHING, "maximal_queue_lifetime = 0", "bounce_queue_lifetime = 0"], cases.EXPIRING),
    "soft": (["soft_bounce = yes", EVERYTHING], cases.SOFT),
}


def both(main: Sequence[str], of: Mapping[str, Case]) -> tuple[dict[str, Seen], dict[str, Seen]]:
    def one(kind: Callable[[], Installed]) -> dict[str, Seen]:
        with kind() as system:
            system.configure([*MAIN, *main])
            return run(system, of)

    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(one, (Postfix, waybill.Waybill))
    return theirs, ours


@pytest.mark.parametrize("group", GROUPS)
def test_notices(group: str) -> None:
    theirs, ours = both(*GROUPS[group])
    for name in theirs:
        assert (name, ours[name].mail) == (name, theirs[name].mail)
        assert (name, ours[name].relayed) == (name, theirs[name].relayed)
        assert (name, ours[name].log) == (name, theirs[name].log)
