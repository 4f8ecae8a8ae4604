"""How lines look in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from harness.system import System

from .where import everywhere, make

MAIN = ["syslog_facility = local3", "info_log_address_format = internal",
        "local_delivery_status_filter = regexp:{{/^2(.*) delivered to mailbox/ 2$$1 in the box} {/^5.1.1 (.*)/ 4.9.1 perhaps: $$1}}"]
LOCAL3_INFO = 19 * 8 + 6


@pytest.fixture(scope="module", params=everywhere(only=("postfix", "waybill")))
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, MAIN) as made:
        made.start()
        yield made


@pytest.mark.scenario
def test_facility_and_addresses(system: System) -> None:
    system.run(["sendmail", "-f", '"a b"@far.example', "alice"], input="Subject: x\n\nx\n")
    system.log.wait("status=sent")
    lines = [line for line in system.log.lines() if line.program in ("pickup", "cleanup", "qmgr", "local")]
    assert [line.text.split("from=<")[1].split(">")[0] for line in lines if " from=<" in line.text] == ["a b@far.example"] * 2
    assert {line.raw.split(">")[0] for line in lines} == {f"<{LOCAL3_INFO}"}


@pytest.mark.scenario
@pytest.mark.parametrize(("recipient", "end"), [("bob", r"dsn=2\.0\.0, status=sent \(in the box\)"), ("nobody-here", r'dsn=4\.9\.1, status=deferred \(perhaps: unknown user: "nobody-here"\)')])
def test_status_filter(system: System, recipient: str, end: str) -> None:
    system.run(["sendmail", recipient], input="Subject: x\n\nx\n")
    system.log.wait(rf"to=<{recipient}@.*{end}")


@pytest.mark.scenario
def test_no_facility(system: System) -> None:
    with make("postfix" if system.name == "postfix" else "waybill", ["syslog_facility = nonsense"]) as bad:
        assert bad.run(["postqueue", "-p"], check=False).returncode != 0


OVERRIDDEN = {"/etc/postfix/main.cf, line {0}: overriding earlier entry: relayhost=$nowhere", "/etc/postfix/main.cf, line {1}: overriding earlier entry: relayhost=[a.example]"}
OF_POSTCONF = {"/etc/postfix/main.cf: undefined parameter: nowhere_else", "/etc/postfix/main.cf: unused parameter: unused_one=$nowhere_else"}


@pytest.fixture(scope="module", params=everywhere(only=("postfix", "waybill")))
def overridden(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param) as made:
        made.write_configuration()
        made.run(["sh", "-c", "printf 'relayhost = $nowhere\\nrelayhost = [a.example]\\nrelayhost = [b.example]\\nrelayhost = [b.example]\\nunused_one = $nowhere_else\\n' >>/etc/postfix/main.cf"])
        yield made


@pytest.mark.scenario
@pytest.mark.parametrize(("command", "more"), [("postconf -h relayhost", OF_POSTCONF), ("postmap -q x static:y", set())])
def test_overridden_entries(overridden: System, command: str, more: set[str]) -> None:
    first = int(overridden.run(["sh", "-c", "grep -n '^relayhost' /etc/postfix/main.cf | head -1"]).stdout.split(":")[0])
    said = overridden.run(command.split(), check=False).stderr.splitlines()
    # Debian's postconf reads the file several times over, and says more.
    assert {f"{command.split()[0]}: warning: {text.format(first + 1, first + 2)}" for text in OVERRIDDEN | more} <= set(said)


@pytest.mark.scenario
@pytest.mark.parametrize(("options", "line"), [
    ([], r"<158>.* postfix/postlog\[\d+\]: a line"), (["-t", "mine"], r"<158>.* mine\[\d+\]: a line"),
    (["-p", "warn"], r"<156>.* postfix/postlog\[\d+\]: warning: a line"), (["-p", "fatal"], r"<154>.* postfix/postlog\[\d+\]: fatal: a line"),
    (["-p", "loud"], r'<(?:154|18)>.* postfix/postlog\[\d+\]: fatal: bad severity: "loud"')])
def test_postlog(system: System, options: list[str], line: str) -> None:
    done = system.run(["postlog", *options, "a line"], check=False)
    assert (done.returncode, done.stderr) == (1 if "loud" in options else 0, "")
    assert any(re.fullmatch(line, one.raw) for one in system.log.lines())
