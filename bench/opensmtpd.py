"""Debian's OpenSMTPD in a room.  It has no discard(8): where Postfix would throw mail away, it is told to let it wait."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from pathlib import Path

import measure
from harness import paths
from harness.installed import Installed

# Names would be looked up for each session.  Folders that the package makes; the queue is on the room's image.
_PREPARE = """
rm -f /etc/resolv.conf /etc/aliases; : >/etc/aliases; echo nameserver 127.0.0.1 >/etc/resolv.conf; echo mx.test.invalid >/etc/mailname
mount -t tmpfs none /run
mount -t tmpfs none /var/lib; mkdir -p /var/lib/opensmtpd/empty
mount --bind /var/spool/postfix /mnt; mount -t tmpfs none /var/spool; mkdir /var/spool/smtpd; mount --move /mnt /var/spool/smtpd
chmod 711 /var/spool/smtpd
for account in opensmtpd:19011 opensmtpq:19012; do
    echo "${account%:*}:x:${account#*:}:" >>/etc/group
    echo "${account%:*}:x:${account#*:}:${account#*:}::/var/lib/opensmtpd/empty:/usr/sbin/nologin" >>/etc/passwd
done
chgrp opensmtpq /usr/sbin/smtpctl; chmod 2755 /usr/sbin/smtpctl
"""

# By itself it relays 20 messages a second to one host: 100 in a session, and sessions five seconds apart.
_CONFIGURATION = """
mta limit session-mail-max 1000000
mta limit conn-delay-route 0
mta limit reconn-delay-route 0
mta limit conn-delay-relay 0
table aliases file:/etc/aliases
smtp limit max-mails 1000000
smtp limit max-rcpt 100000
listen on 127.0.0.1 port 25
action "local" maildir alias <aliases>
match from local for local action "local"
match from local for any action "relay"
"""


@functools.cache
def folder() -> Path:
    """Where it is unpacked; fetches it when it is not there yet."""
    done = subprocess.run([paths.REPO / "tools/oracle", "opensmtpd"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


class OpenSmtpd(Installed):
    name = "opensmtpd"
    START = ("smtpd",)

    def __init__(self, *, image: Path | None = None) -> None:
        super().__init__([folder(), paths.peers()], image=image)
        self.spool = self.room.path("/var/spool/smtpd")
        self.waits = False

    def _prepare(self) -> None:
        self.room.shell(_PREPARE)

    def configure(self, main: Sequence[str] = (), rows: Sequence[str] = ()) -> None:
        """MAIN is of Postfix, of which only where mail goes is understood."""
        super().configure(main, rows)
        self.waits = any(line.startswith("default_transport = discard") for line in main)

    def write_configuration(self) -> None:
        self.room.write("/etc/smtpd.conf", f'action "relay" relay host smtp://{measure.SINK}\n{_CONFIGURATION}')

    def master_pid(self) -> int:
        return next(process.pid for process in self.processes() if process.parent == 1 and process.argv == "smtpd")

    def started(self) -> None:
        if self.waits:
            self.run(["smtpctl", "pause", "mta"])

    def forget_waiting(self) -> None:
        if self.waits:
            self.run(["smtpctl", "remove", "all"], check=False, timeout=600)

    def busy(self) -> bool:
        folders = [self.spool / "incoming", self.spool / "offline", *(self.spool / "queue").iterdir()]
        return not self.waits and any(measure.has_entries(one) for one in folders)

    def stop(self) -> None:
        self.run(["kill", self.master_pid()], check=False)
        self.running = False
