"""A reader of the log that is slow, or stops for a while: lines wait for it, and what is lost is told."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.log import Line, parse
from harness.system import System

from .where import make, marks

RECIPIENTS = 2500  # more lines than one process keeps
END = b"<end>"


class Reader:
    """Reads /dev/log beside the room's own reader, whose place it takes: a line, a pause."""

    def __init__(self, device: Path) -> None:
        device.unlink()
        self.lines: list[Line] = []
        self.pause = 0.0005
        self.reads = threading.Event()
        self._device = device
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(device))
        device.chmod(0o666)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while self.reads.wait():
            data = self._socket.recv(65536)
            if data == END:
                return
            self.lines.append(parse(data.decode().rstrip("\n\0")))
            time.sleep(self.pause)

    def close(self) -> None:
        self.pause = 0
        self.reads.set()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.connect(str(self._device))
            last.send(END)
        self._thread.join()
        self._socket.close()

    def sent(self) -> list[str]:
        return [line.text.split("to=<")[1].split(">")[0] for line in self.lines if "status=sent" in line.text]

    def lost(self) -> int:
        found = (re.fullmatch(r"warning: (\d+) log lines were lost", line.text) for line in self.lines if line.program == "discard")
        return sum(int(one[1]) for one in found if one)


def wait(holds: Callable[[], bool], reader: Reader) -> None:
    until = time.monotonic() + 100
    while not holds():
        assert time.monotonic() < until, f"{len(reader.sent())} lines, {reader.lost()} lost; {reader.lines[-5:]}"
        time.sleep(0.05)


@pytest.fixture(scope="module", params=[pytest.param("waybill", marks=marks("waybill", ["libexec/discard"]))])
def beside(request: pytest.FixtureRequest) -> Iterator[tuple[System, Reader]]:
    with make(request.param, ["default_transport = discard"], ["discard unix - - y - 1 discard"]) as system:
        reader = Reader(system.room.path("/dev/log"))  # type: ignore[attr-defined]
        try:
            reader.reads.set()
            system.start()
            yield system, reader
            system.stop()
        finally:
            reader.close()


def send(system: System, domain: str) -> list[str]:
    recipients = [f"{number}@{domain}" for number in range(RECIPIENTS)]
    system.send(*recipients)
    return recipients


@pytest.mark.scenario
@pytest.mark.timeout(240)
def test_slow_reader(beside: tuple[System, Reader]) -> None:
    system, reader = beside
    recipients = send(system, "slow.example")
    wait(lambda: len(reader.sent()) + reader.lost() >= RECIPIENTS, reader)
    assert sorted(reader.sent()) == sorted(recipients)


@pytest.mark.scenario
@pytest.mark.timeout(240)
def test_reader_that_stops(beside: tuple[System, Reader]) -> None:
    """Mail goes on without it.  When it is back, it is told how many lines it has missed, though nothing else is logged."""
    system, reader = beside
    reader.lines.clear()
    reader.reads.clear()
    send(system, "stopped.example")
    system.wait_queue(timeout=100)
    reader.pause = 0
    reader.reads.set()
    wait(lambda: len(reader.sent()) + reader.lost() >= RECIPIENTS, reader)
    assert reader.lost() > 0
    assert len(reader.sent()) + reader.lost() == RECIPIENTS
