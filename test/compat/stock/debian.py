"""Configures a room as Debian's package does: its own postinst runs, with answers in the place of debconf's questions.

What it calls of the package manager and of the init system is replaced; postconf, newaliases and the like are those of
the system under test.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from harness import paths
from harness.installed import Installed
from harness.system import HOSTNAME

DOMAIN = "test.invalid"

# What the package's config script asks and works out, for a machine called HOSTNAME whose mail name is DOMAIN.
_COMMON = {
    "mailname": DOMAIN, "root_address": "alice", "mynetworks": "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128",
    "relayhost": "", "mailbox_limit": "0", "recipient_delim": "+", "protocols": "all", "chattr": "false", "procmail": "false",
}
_SOME_OF_DOMAIN = f"$myhostname, {HOSTNAME}, localhost.{DOMAIN}, localhost"

KINDS: dict[str, Mapping[str, str]] = {
    "internet": {**_COMMON, "main_mailer_type": "Internet Site", "destinations": f"$myhostname, {DOMAIN}, {HOSTNAME}, localhost.{DOMAIN}, localhost"},
    "satellite": {**_COMMON, "main_mailer_type": "Satellite system", "destinations": _SOME_OF_DOMAIN, "relayhost": "smtp.far.example"},
    "local": {**_COMMON, "main_mailer_type": "Local only", "destinations": f"$myhostname, {DOMAIN}, {HOSTNAME}, localhost.{DOMAIN}, localhost"},
}

_CONFMODULE = """
db_get() { RET=$(sed -n "s|^$1 ||p" /etc/answers); }
db_fget() { RET=$(sed -n "s|^$1 $2 ||p" /etc/flags | tail -n 1); [ -n "$RET" ] || RET=false; }
db_fset() { echo "$1 $2 $3" >>/etc/flags; }
db_stop() { :; }
"""

_STATOVERRIDE = """#!/bin/sh
[ "$1 $2" != "--update --add" ] || { chown "$3:$4" "$6" && chmod "$5" "$6"; }
"""

_PREPARE = r"""
oracle=$1
mkdir -p /usr/share/postfix /etc/stubs /etc/postfix/sasl
cp -n "$oracle"/usr/share/postfix/* /usr/share/postfix/
cp "$oracle/usr/lib/postfix/configure-instance.sh" /usr/lib/postfix/
cp -n "$oracle/usr/sbin/postmulti" /usr/sbin/  # it stays when another system takes the place of Debian's
rm -rf /usr/share/doc/postfix-doc /etc/aliases /etc/postfix/main.cf /etc/postfix/master.cf /etc/postfix/dynamicmaps.cf /etc/init.d/postfix /etc/mailname
for name in dpkg-divert dpkg-maintscript-helper update-rc.d invoke-rc.d deb-systemd-helper deb-systemd-invoke systemctl; do
	printf '#!/bin/sh\n' >/etc/stubs/$name
done
printf '#!/bin/sh\necho %s\n' "$2" >/etc/stubs/hostname
cat >/etc/stubs/dpkg-statoverride
chmod 755 /etc/stubs/*
openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$2" -days 2 \
	-keyout /etc/ssl/private/ssl-cert-snakeoil.key -out /etc/ssl/certs/ssl-cert-snakeoil.pem 2>/dev/null
"""


def configure(system: Installed, kind: str) -> None:
    """A fresh installation, of which KIND was chosen."""
    system.run(["sh", "-ec", _PREPARE, "prepare", paths.oracle(), HOSTNAME], input=_STATOVERRIDE)
    system.room.write("/usr/share/debconf/confmodule", _CONFMODULE)
    system.room.write("/etc/answers", "".join(f"postfix/{name} {value}\n" for name, value in KINDS[kind].items()))
    system.room.write("/etc/flags", "")
    system.run(["sh", "-c", 'PATH=/etc/stubs:$PATH; exec sh "$0" configure ""', paths.oracle() / "control/postinst"])


def start(system: Installed) -> str:
    """As the package's systemd unit does.  What the start says."""
    os.utime(system.room.path("/etc/postfix/main.cf"), (time.time() - 10,) * 2)  # else Debian's programs wait for the editor
    system.run(["/usr/lib/postfix/configure-instance.sh", "-"])
    done = system.run(["sh", "-ec", "postmulti -i - -p start 2>&1"])
    system.running = True
    return done.stdout
