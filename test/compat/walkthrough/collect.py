"""Runs what the walkthrough runs, on a system in a room, and collects the evidence."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from harness.dns import name_server
from harness.installed import Installed
from harness.smtp import dialogue
from harness.strace import Strace

from .evidence import Evidence

CONFIGURATION = ("mail_name = Postfix", "header_from_format = obsolete", "inet_interfaces = all")

# Whole environments, everything else short.
_TREE = ("-f", "-s", "4096", "-e", "abbrev=!execve")


# The walkthrough's message, headers in its order.
LETTER = """\
Date: Fri, 15 Jul 2011 18:16:25 +0800
To: bob@second.example
Subject: test
User-Agent: Heirloom mailx 12.4 7/29/08
MIME-Version: 1.0
Content-Type: text/plain;
 charset=us-ascii
Content-Transfer-Encoding: 7bit

test
"""


class Collector:
    def __init__(self, system: Installed, fifo: bool, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.found = Evidence(system.name, fifo)

    def run(self) -> Evidence:
        self.system.configure(CONFIGURATION)
        self.system.resolver("127.0.0.1")
        self._first_start()
        self._local_submission()
        self._names_of_sendmail()
        self._submission_while_down()
        self._network_local()
        self._name_server_down()
        self._address_does_not_exist()
        self.system.stop()
        self.found.save(self.folder)
        return self.found

    def _attach(self, name: str) -> Strace:
        pids = [self.system.master_pid(), *self.system.children("pickup"), *self.system.children("qmgr")]
        return Strace(self.system.room, self._trace_path(name), attach=pids, options=_TREE)

    def _trace_path(self, name: str) -> Path:
        return self.folder / f"{name}.trace"

    def _keep(self, name: str, trace: Strace) -> None:
        self.found.traces[name] = trace.stop()
        self.found.texts[f"log-{name}"] = "".join(line.raw + "\n" for line in self.system.log.lines())

    def _fresh_start(self) -> None:
        """Only pickup and qmgr run afterwards, and their start-up work is done."""
        if self.system.running:
            self.system.stop()
        self.system.start()
        for _ in range(200):
            if self.system.children("pickup") and self.system.children("qmgr"):
                break
            time.sleep(0.02)
        time.sleep(0.5)
        self.system.log.mark()

    def _wait_removed(self, count: int = 1) -> None:
        self.system.log.wait(r"/qmgr\[\d+\]: [0-9A-F]+: removed", count=count)
        time.sleep(0.5)  # the programs' own after-work: replies, closes, status messages

    def _first_start(self) -> None:
        self._fresh_start()
        rows = []
        for path in sorted([*self.system.spool.iterdir(), *(self.system.spool / "public").iterdir(), *(self.system.spool / "private").iterdir()]):
            about = path.lstat()
            owner, group = self._names(about.st_uid, about.st_gid)
            rows.append(f"{stat.filemode(about.st_mode)} {owner} {group} {path.relative_to(self.system.spool)}\n")
        about = self.system.spool.stat()
        rows.append(f"{stat.filemode(about.st_mode)} {' '.join(self._names(about.st_uid, about.st_gid))} .\n")
        self.found.texts["layout"] = "".join(rows)
        self.found.texts["processes"] = "".join(f"{p.pid} {p.parent} {p.user} {p.argv}\n" for p in self.system.processes())

    def _names(self, uid: int, gid: int) -> tuple[str, str]:
        names = self.system.run(["sh", "-c", f"getent passwd {uid}; getent group {gid}"]).stdout.splitlines()
        return names[0].split(":")[0], names[1].split(":")[0]

    def _local_submission(self) -> None:
        tree = self._attach("local")
        submit = Strace(self.system.room, self._trace_path("submit"), argv=["mail", "-s", "test", "alice"], options=_TREE, input=b"test\n")
        submit.wait()
        self.found.traces["submit"] = submit.load()
        self._wait_removed()
        self._keep("local", tree)
        self.found.texts["mailbox"] = self.system.mailbox("alice")[-1]

    def _names_of_sendmail(self) -> None:
        results = {}
        for name in ("send-mail", "sendmail", "anything"):
            self.system.log.mark()
            done = self.system.run(["bash", "-c", f"exec -a {name} /usr/sbin/sendmail -i alice"], input=".\nafter the dot\n", check=False)
            self._wait_removed()
            results[name] = [done.returncode, self.system.mailbox("alice")[-1]]
        for argv in (["mail", "-s", "x", "alice"], ["s-nail", "-s", "x", "alice"]):
            self.system.log.mark()
            trace = Strace(self.system.room, self._trace_path(argv[0]), argv=argv, options=_TREE, input=b"test\n")
            trace.wait()
            self.found.traces[argv[0]] = trace.load()
            self._wait_removed()
            results[argv[0]] = [0, self.system.mailbox("alice")[-1]]
        done = self.system.run(["bash", "-c", "exec -a mailq /usr/sbin/sendmail"], check=False)
        results["mailq"] = [done.returncode, done.stdout]
        done = self.system.run(["bash", "-c", "exec -a newaliases /usr/sbin/sendmail"], check=False, input="to: alice\n\nx\n")
        results["newaliases"] = [done.returncode, done.stdout]
        self.found.texts["names"] = json.dumps(results)

    def _submission_while_down(self) -> None:
        self.system.log.mark()
        self.system.stop()
        self.system.log.wait(r"/master\[\d+\]: terminating on signal 15")
        self.system.log.mark()
        done = self.system.run(["sendmail", "-i", "alice"], input="test\n", check=False)
        files = [f.name for f in self.system.queue()["maildrop"]]
        self.found.texts["down"] = json.dumps({"status": done.returncode, "output": done.stdout + done.stderr, "files": files,
                                               "log": [str(line) for line in self.system.log.lines()]})
        for file in self.system.queue()["maildrop"]:
            file.unlink()

    def _network_local(self) -> None:
        self._fresh_start()
        tree = self._attach("network")
        self._dialogue("network", "alice@mx.test.invalid")
        self._wait_removed()
        self._keep("network", tree)

    def _dialogue(self, name: str, recipient: str) -> None:
        said = ["helo client.example", "mail from:<carol@mx.test.invalid>", f"rcpt to:<{recipient}>", "data", "test\r\n.", "quit"]
        self.found.texts[f"dialogue-{name}"] = json.dumps(dialogue(self.system, said))

    def _name_server_down(self) -> None:
        self._fresh_start()
        tree = self._attach("down")
        self._dialogue("remote", "bob@first.example")
        self.system.log.wait("status=deferred")
        time.sleep(0.5)
        self.system.send("bob@second.example", text=LETTER)
        self.system.log.wait("status=deferred", count=2)
        self.system.wait_queue({"deferred": 2})
        time.sleep(0.5)
        self._keep("down", tree)
        self._deferred_file(self.system.log.find(r"/smtp\[\d+\]: ([0-9A-F]+): to=<bob@second.example>")[0][1])

    def _deferred_file(self, queue_id: str) -> None:
        name = f"{queue_id[0]}/{queue_id}"
        file, reason = self.system.spool / "deferred" / name, self.system.spool / "defer" / name
        about, folder = file.stat(), file.parent.stat()
        self.found.texts["deferred-id"] = queue_id
        self.found.texts["deferred"] = file.read_bytes().decode("latin-1")
        self.found.texts["deferred-about"] = json.dumps({
            "mode": stat.filemode(about.st_mode), "folder": stat.filemode(folder.st_mode), "due_in": about.st_mtime - time.time(),
            "defer_file": reason.read_bytes().decode("latin-1") if reason.exists() else ""})

    def _address_does_not_exist(self) -> None:
        self._fresh_start()
        with name_server(self.system):
            tree = self._attach("gone")
            self.system.send("nobody@gone.example", user="alice")
            self._wait_removed(2)
            self._keep("gone", tree)


def collect(make: Sequence[object], fifo: bool, folder: Path) -> Evidence:
    """MAKE is (class, options) of an installed system."""
    kind, options = make
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with kind(fifo=fifo, **options) as system:  # type: ignore[operator]
        return Collector(system, fifo, folder).run()
