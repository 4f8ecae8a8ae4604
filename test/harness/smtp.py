"""Plays SMTP transcripts kept as text files.  test/scenarios/README.md describes the lines.

A transcript is read into steps, in the order of the file; each step is one method of Player.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .sink import Sink, sink
from .system import System

_SETTINGS = ("main.cf", "master.cf", "needs", "fault", "only", "differs")
_STEPS = ("S", "C", "C|", "close", "connect", "wait", "queue", "log", "mailbox", "sink", "relayed")


@dataclass(frozen=True)
class Step:
    line: int
    kind: str
    text: str


@dataclass
class Transcript:
    name: str
    about: str
    main: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)
    """"root": only in an installed system, with its own users."""
    faults: list[str] = field(default_factory=list)
    """What goes wrong here, of the list in faults.py."""
    left_out: dict[str, str] = field(default_factory=dict)
    """System name to the reason why this transcript is not for it."""
    steps: list[Step] = field(default_factory=list)


def load(path: Path) -> Transcript:
    return parse(path.stem, path.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Transcript:
    comments = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    script = Transcript(name, " ".join(comments))
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = re.match(r"(C\||[A-Za-z.]+:?) ?(.*)\Z", line)
        kind = found[1].rstrip(":") if found else ""
        if not found or kind not in _SETTINGS + _STEPS or (kind != "C|" and not found[1].endswith(":")):
            raise ValueError(f"{name}: line {number}: {line}")
        value = found[2]
        if kind == "main.cf":
            script.main.append(value)
        elif kind == "master.cf":
            script.rows.append(value)
        elif kind == "needs":
            script.needs.add(value.strip())
        elif kind == "fault":
            script.faults.append(value.strip())
        elif kind in ("only", "differs"):
            system, _, reason = value.partition(" ")
            others = {"postfix", "waybill"} - {system} if kind == "only" else {system}
            script.left_out |= dict.fromkeys(others, reason)
        else:
            script.steps.append(Step(number, kind, value))
    return script


def wildcard(pattern: str, *, whole: bool = True) -> re.Pattern[str]:
    """"*" stands for any text."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.compile(rf"\A{expression}\Z" if whole else expression, re.S)


class Client:
    """One connection, read by replies."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._file = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def reply(self) -> list[str]:
        """All lines of one reply; none when the server has closed."""
        lines: list[str] = []
        while raw := self._line():
            assert raw.endswith(b"\r\n"), f"a reply line without CRLF: {raw!r}"
            lines.append(raw[:-2].decode("utf-8", "replace"))
            if lines[-1][3:4] != "-":
                break
        return lines

    def _line(self) -> bytes:
        try:
            return self._file.readline()
        except ConnectionResetError:  # closed while something of ours was still on its way
            return b""

    def command(self, text: str) -> list[str]:
        self.send(text.encode() + b"\r\n")
        return self.reply()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def dialogue(system: System, commands: Iterable[str]) -> list[str]:
    """The last line of each reply, of the greeting first, as the commands are said one by one."""
    client = Client(system.connect())
    try:
        said = [client.reply()]
        said += [client.command(text) for text in commands]
        return [lines[-1] if lines else "<closed>" for lines in said]
    finally:
        client.close()


class Player:
    def __init__(self, system: System, script: Transcript) -> None:
        self.system, self.script = system, script
        self._client: Client | None = None
        self._to_send = b""
        self._reply: list[str] = []
        self._sink: Sink | None = None
        self._open = ExitStack()
        self._mailbox_start: dict[str, int] = {}

    def play(self) -> None:
        with self._open:
            self.system.log.mark()
            for user in {step.text.split()[0] for step in self.script.steps if step.kind == "mailbox"}:
                self._mailbox_start[user] = len(self.system.mailbox(user))
            for step in self.script.steps:
                if step.kind not in ("C", "C|"):
                    self._flush()
                try:
                    getattr(self, "do_" + {"C|": "raw"}.get(step.kind, step.kind))(step.text)
                except (AssertionError, OSError) as failure:
                    raise AssertionError(f"{self.script.name}, line {step.line}: {step.kind}: {step.text}\n{failure}") from failure
            self._hang_up()

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client(self.system.connect())
        return self._client

    def _flush(self) -> None:
        if self._to_send:
            self._connected().send(self._to_send)
            self._to_send = b""

    def _hang_up(self) -> None:
        self._flush()
        if self._client:
            self._client.close()
        self._client, self._reply = None, []

    def do_C(self, text: str) -> None:
        self._reply = []
        self._to_send += text.encode() + b"\r\n"

    def do_raw(self, text: str) -> None:
        self._reply = []
        self._to_send += text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")

    def do_S(self, text: str) -> None:
        if text.startswith("... "):
            # One of the lines of the reply that is being read; its number does not matter.
            self._reply = self._reply or self._connected().reply()
            pattern = wildcard(text[4:])
            assert any(pattern.match(line[4:]) for line in self._reply), f"no such line in {self._reply}"
            return
        if text == "<closed>":
            got = self._connected().reply()
            assert not got, f"still open: {got}"
            return
        if not self._reply or text[3:4] != "-":
            self._reply = self._reply if self._reply and text[3:4] == "-" else self._connected().reply()
        assert self._reply, "the server has closed the connection"
        if text[3:4] == "-":
            line, self._reply = self._reply[0], self._reply[1:]
        else:
            line, self._reply = self._reply[-1], []
        assert wildcard(text).match(line), f"the server said: {line}"

    def do_close(self, _text: str) -> None:
        self._hang_up()

    def do_connect(self, _text: str) -> None:
        self._hang_up()
        self._connected()

    def do_wait(self, text: str) -> None:
        time.sleep(float(text))

    def do_queue(self, text: str) -> None:
        """empty, or "deferred 1, hold 2"."""
        want = {} if text == "empty" else {name: int(n) for name, n in (part.split() for part in text.split(","))}
        self.system.wait_queue(want)

    def do_log(self, text: str) -> None:
        """"has PATTERN", or "none of WORD..."."""
        if text.startswith("none of"):
            words = text.removeprefix("none of").split()
            bad = [str(line) for line in self.system.log.lines() if any(re.search(rf"\b{re.escape(word)}\b", line.text) for word in words)]
            assert not bad, "\n".join(bad)
        else:
            assert text.startswith("has "), text
            self.system.log.wait(wildcard(text.removeprefix("has "), whole=False).pattern)

    def do_mailbox(self, text: str) -> None:
        """"USER N": that many came; "USER has TEXT": in the last of them; "USER lacks TEXT"."""
        user, what, *rest = text.split(" ", 2)
        before = self._mailbox_start[user]
        if what.isdigit():
            assert len(self.system.wait_mailbox(user, before + int(what))) == before + int(what)
            return
        self._check_text(self.system.wait_mailbox(user, before + 1)[-1], what, rest[0])

    def do_sink(self, text: str) -> None:
        """"PORT [COMMAND REPLY]": a next hop on 127.0.0.1."""
        port, *refusal = text.split(" ", 2)
        self._sink = self._open.enter_context(sink(self.system, int(port), {refusal[0]: refusal[1]} if refusal else None))

    def do_relayed(self, text: str) -> None:
        """"N", "has TEXT", "lacks TEXT": of what the next hop got."""
        assert self._sink, "relayed: without a sink: line"
        if text.isdigit():
            assert len(self._sink.wait(int(text))) == int(text)
            return
        what, wanted = text.split(" ", 1)
        self._check_text(self._sink.wait(1)[-1].text, what, wanted)

    @staticmethod
    def _check_text(message: str, what: str, wanted: str) -> None:
        wanted = wanted.encode("latin-1", "backslashreplace").decode("unicode_escape")
        found = bool(wildcard(wanted, whole=False).search(message))
        assert what in ("has", "lacks"), what
        assert found == (what == "has"), f"the message is\n{message}"
