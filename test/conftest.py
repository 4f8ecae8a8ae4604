"""What every test has: marks that leave tests out with a reason, and systems to test.

With pytest-xdist (-n N) the tests run in workers, each in a network of its own when root runs them; what is told at the end comes
to this process with the reports."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import faults, findings, paths, second_try, waybill
from harness.oracle import Postfix
from harness.room import enter_new_network
from harness.system import System

REASON = pytest.StashKey[str | None]()
LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()
VERDICTS = pytest.StashKey[faults.Verdicts]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=Path, metavar="FILE", help="names every fault, those without a test too, and writes FILE")
    parser.addoption("--failed", type=Path, metavar="FILE", help="writes FILE: the tests that failed, when they may be tried once more")
    parser.addoption("--again", type=Path, metavar="FILE", help="runs the files of the tests in FILE, which all must pass")


class Collector:
    """What the reports of tests, wherever they ran, say of faults and of tests that are left out."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.failed: list[tuple[str, str]] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append((report.nodeid, report.longreprtext))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The report of a worker that has died has neither faults nor what is left out."""
        if report.failed:
            self.failed.append((report.nodeid, report.longreprtext))
        if report.failed or report.skipped or report.when == "call":
            self._config.stash[VERDICTS].add(getattr(report, "faults", []), report.nodeid, "left out" if report.skipped else report.outcome)
        if (left_out := getattr(report, "left_out", None)) and report.when == "setup":
            self._config.stash[LEFT_OUT].setdefault(left_out, []).append(report.nodeid)


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = {}
    config.stash[VERDICTS] = faults.Verdicts()
    config.pluginmanager.register(Collector(config), "collector")
    if not is_worker(config):
        config.pluginmanager.register(second_try.SecondTry(config.getoption("--failed"), config.getoption("--again")), "second try")
        findings.begin()
    elif os.geteuid() == 0:
        enter_new_network()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if again := config.getoption("--again"):
        items[:] = second_try.select(items, again)
    for item in items:
        if reason := why_left_out(item):
            item.add_marker(pytest.mark.skip(reason=reason))
        item.stash[REASON] = reason
        if wrong := set(faults_of(item)) - set(faults.FAULTS):
            raise pytest.UsageError(f"{item.nodeid}: not in harness/faults.py: {', '.join(sorted(wrong))}")


def faults_of(item: pytest.Item) -> list[str]:
    return [str(name) for mark in item.iter_markers("fault") for name in mark.args]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = (yield).get_result()  # type: ignore[attr-defined]
    report.faults, report.left_out = faults_of(item), item.stash[REASON]


def why_left_out(item: pytest.Item) -> str | None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        return "needs root"
    names = [str(name) for mark in item.iter_markers("needs_program") for name in mark.args]
    if missing := paths.missing_programs(names):
        return "not built: " + " ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    verdicts, file = config.stash[VERDICTS], config.getoption("--faults")
    if lines := list(verdicts.lines(everything=bool(file))):
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(lines))
    if file:
        verdicts.write(file)
    left_out = config.stash[LEFT_OUT]
    if left_out:
        terminalreporter.section("left out")
        for reason, tests in sorted(left_out.items()):
            terminalreporter.write_line(f"{len(tests)} tests ({reason}):")
            for test, count in Counter(tests if len(tests) <= 16 else (test.split("[")[0] for test in tests)).items():
                terminalreporter.write_line(f"    {test}" + (f" ({count})" if count > 1 else ""))


@pytest.hookimpl(trylast=True)  # after all that the test used has ended
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if found := findings.take():
        pytest.fail(f"a sanitizer found\n{found}", pytrace=False)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if is_worker(session.config):
        return  # others may still run, and what this one finds would not be heard
    if found := findings.take():
        print(f"\na sanitizer found\n{found}")
        session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.pluginmanager.get_plugin("second try").give_up()
    findings.end()
    # An ordinary user has run what he can, and is told that it was not all.
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and "needs root" in session.config.stash[LEFT_OUT]:
        session.exitstatus = 77


def pytest_unconfigure(config: pytest.Config) -> None:
    """Says again at the very end, which is what is seen of a long output, why the first tests failed."""
    collector = config.pluginmanager.get_plugin("collector")
    for name, text in collector.failed[:5] if collector and not is_worker(config) else []:
        print(f"\n{name}:", *text.splitlines()[-25:], sep="\n    ")


@pytest.fixture
def make_system(request: pytest.FixtureRequest) -> Iterator[Callable[..., System]]:
    """make_system(name, **options): an installed "postfix" or "waybill" that ends with the test."""
    made: list[System] = []

    def make(name: str, **options: object) -> System:
        system: System = {"postfix": Postfix, "waybill": waybill.Waybill}[name](**options)  # type: ignore[arg-type]
        made.append(system)
        return system

    yield make
    for system in made:
        _keep_log(request, system)
        system.close()


@pytest.fixture(params=[
    pytest.param("postfix", marks=[pytest.mark.root, pytest.mark.compat]),
    pytest.param("waybill", marks=[pytest.mark.root, pytest.mark.needs_program(*waybill.NEEDED)]),
])
def system(request: pytest.FixtureRequest, make_system: Callable[..., System]) -> System:
    """Each of the two systems in turn, installed in a room and not yet started."""
    return make_system(request.param)


def _keep_log(request: pytest.FixtureRequest, system: System) -> None:
    """Adds the end of the mail log to the report of the test."""
    text = system.log.text()
    if text:
        request.node.add_report_section("teardown", f"{system.name} log", text[-20000:])


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder that other users may enter."""
    return paths.let_enter(tmp_path)
