"""Plays all transactions on a system, and tells what became of each."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence

from harness.dns import name_server
from harness.installed import Installed
from harness.neighbour import FAR, Neighbour
from harness.sink import sink
from harness.smtp import Client

from . import site
from .script import Transaction

USERS = ("alice", "bob", "carol")
_ID = re.compile(r"([0-9A-F]{8,14}): ")
_CHILD = re.compile(r"(?:notification: |forwarded as |orig_id=)([0-9A-F]{8,14})")
_PICKED_UP = re.compile(r"([0-9A-F]{8,14}): uid=")


def masked(text: str) -> str:
    text = re.sub(r"\b[0-9A-F]{8,14}\b(?=[:.);>@]|$)", "ID", text)
    text = re.sub(r"queued as \w+", "queued as ID", text)
    text = re.sub(r"(delays?|conn_use)=[\d./]+, ", "", text)
    text = re.sub(r"\d+ kept\b", "N kept", text)  # which of many comes first is chance

    return text


def masked_letter(text: str) -> str:
    """A delivered message without what differs from one second to the next."""
    text = re.sub(r"\b[0-9A-F]{8,14}\b", "ID", text)
    text = re.sub(r"\w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} [+-]\d{4}|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}", "DATE", text)
    return re.sub(r"\b20\d{12}(?=\.ID)", "TIME", re.sub(r"ID\.\d+/", "ID.N/", re.sub(r"\d+\s+kept", "N kept", text)))


class Run:
    """What came of it, by the transactions' names; and the whole."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}
        self.became: dict[str, list[str]] = {}
        self.mailboxes: dict[str, list[str]] = {}
        self.log: list[str] = []
        """Lines as syslog writes them; like the mailboxes, of what does not differ."""

    def keep(self, system: Installed) -> None:
        self.mailboxes = {user: sorted(masked_letter(text) for text in system.mailbox(user)) for user in USERS}
        self.log = [as_syslog(line.raw) for line in system.log.lines()]


class Player:
    def __init__(self, system: Installed, neighbour: Neighbour) -> None:
        self.system, self.neighbour = system, neighbour
        self.ids: dict[str, list[str]] = {}
        self.said: dict[str, list[str]] = {}

    def play(self, each: Transaction) -> None:
        said, ids = self.said.setdefault(each.name, []), self.ids.setdefault(each.name, [])
        client: Client | None = None
        for step in each.steps:
            if step.startswith("$ "):
                said += self.command(each, step[2:], ids)
                continue
            if client is None:
                client = Client(self.system.connect() if each.client == "inside" else self.neighbour.connect())
                said += client.reply()
            if not self.say(client, each, step, said):
                break
        for line in said:
            ids += re.findall(r"queued as (\w+)", line)
        if client:
            client.close()

    def say(self, client: Client, each: Transaction, step: str, said: list[str]) -> bool:
        """False: the server has closed."""
        lines = step.split("\n")
        if lines[0].startswith("BDAT "):  # with what it carries there is one reply
            content = "".join(line + "\r\n" for line in lines[1:])
            lines = [lines[0].replace("*", str(len(content))) + "".join("\r\n" + line for line in lines[1:])]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(b"".join(line.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1") + b"\r\n" for line in lines))
        for line in lines:
            reply = client.reply()
            said += ["-- " + line[:60], *(reply if not line.startswith("EHLO") or not reply else ["EHLO " + reply[-1][:3]])]
            if not reply:
                said.append("<closed>")
                return False
            if reply[-1].startswith("354"):
                text = "".join(("." if part.startswith(".") else "") + part + "\r\n" for part in each.content)
                client.send(text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1") + b".\r\n")
                said += client.reply() or ["<closed>"]
        return True

    def command(self, each: Transaction, command: str, ids: list[str]) -> list[str]:
        before = len(self.picked_up())
        done = self.system.run(["sh", "-c", command], user=each.user, input="".join(line + "\n" for line in each.content), check=False)
        if done.returncode == 0 and "sendmail" in command and "fatal:" not in done.stdout:
            until = time.monotonic() + 20
            while len(found := self.picked_up()) == before:
                if time.monotonic() > until:
                    raise AssertionError(f"{each.name}: nothing was picked up\n{self.system.log.text()}")
                time.sleep(0.01)
            ids += found[before:]
        return [f"-- $ {command}", f"status {done.returncode}", *(done.stdout + done.stderr).splitlines()]

    def picked_up(self) -> list[str]:
        return [found[1] for line in self.system.log.lines() if line.program == "pickup" and (found := _PICKED_UP.match(line.text))]

    def settled(self) -> bool:
        """Nothing moves, and all that was done has been logged."""
        if any(self.system.queue()[name] for name in ("maildrop", "incoming", "active")):
            return False
        waiting = {path.name for paths in self.system.queue().values() for path in paths}
        texts = [line.text for line in self.system.log.lines()]
        begun = {found[1] for text in texts if text.endswith("(queue active)") and (found := _ID.match(text))}
        ended = {found[1] for text in texts if text.endswith(": removed") and (found := _ID.match(text))}
        return begun - ended <= waiting and (
            sum(text.startswith("connect from ") for text in texts) == sum(text.startswith("disconnect from ") for text in texts))

    def settle(self) -> None:
        until = time.monotonic() + 40
        while not self.settled():
            if time.monotonic() > until:
                raise AssertionError("it does not come to rest\n" + self.system.log.text()[-4000:])
            time.sleep(0.05)

    def became(self, ids: Sequence[str]) -> list[str]:
        """The deliveries of those messages and of what came of them, and where the rest is."""
        waiting = {path.name: name for name, paths in self.system.queue().items() for path in paths}
        lines = self.by_id()
        found: list[str] = []
        todo, done = list(ids), set()
        while todo:
            if (now := todo.pop(0)) in done:
                continue
            done.add(now)
            own = lines.get(now, [])
            found += sorted(masked(text) for program, text in own if program not in ("smtpd", "pickup") and not text.endswith(": removed"))
            for _, text in own:
                todo += _CHILD.findall(text)
            if now in waiting:
                found.append(f"in {waiting[now]}")
        return found

    def by_id(self) -> dict[str, list[tuple[str, str]]]:
        lines: dict[str, list[tuple[str, str]]] = {}
        for line in self.system.log.lines():
            if found := _ID.match(line.text):
                lines.setdefault(found[1], []).append((line.program, line.text))
        return lines


def as_syslog(raw: str) -> str:
    """A line of /dev/log as it stands in /var/log/mail.log."""
    return re.sub(r"^<\d+>(\w{3} [ \d]\d [\d:]{8}) ", r"\1 mx ", raw)


def play(system: Installed, transactions: Sequence[Transaction]) -> Run:
    run = Run()
    with contextlib.ExitStack() as stack:
        system.resolver("127.0.0.1")
        stack.enter_context(name_server(system, site.ZONE, site.ODD))
        neighbour = Neighbour(system)
        stack.enter_context(sink(neighbour, 25, address=FAR))
        for port, replies in site.SINKS.items():
            stack.enter_context(sink(system, port, replies))
        site.prepare(system)
        system.start()
        player = Player(system, neighbour)
        for each in transactions:
            if (each.differs or each.logs_differ) and not run.log:
                player.settle()
                run.keep(system)
            player.play(each)
        player.settle()
        if not run.log:
            run.keep(system)
        system.stop()
        run.said = {name: [masked(line) for line in lines] for name, lines in player.said.items()}
        run.became = {name: player.became(ids) for name, ids in player.ids.items()}
    return run
