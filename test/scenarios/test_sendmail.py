"""What sendmail(1) says and how it ends, when it cannot do what it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
