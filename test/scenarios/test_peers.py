"""What people's programs send through us arrives as it was: text, odd lines, eight bits, attachments, patches; and Dovecot takes
mail from us over LMTP."""

from __future__ import annotations

import base64
import email
import email.policy
import json
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest

from harness import mailbox
from harness.installed import Installed
from harness.system import System

from .where import make, marks

pytestmark = pytest.mark.scenario
systems = ("postfix", "waybill")

SUBJECT = "Grüße from a program"
TEXT = "first line\n.\n..two dots\nFrom here to there\n>From quoted\nschöne Grüße, 漢字\n" + "long " * 190 + "\nlast line\n"
BYTES = bytes(range(256)) * 8

NODE = """
const mailer = require('nodemailer'), wanted = JSON.parse(process.argv[1]);
const transport = mailer.createTransport(wanted.transport);
transport.sendMail({from: 'Bob <bob@test.invalid>', to: 'alice@test.invalid', subject: wanted.subject, text: wanted.text,
                    attachments: [{filename: 'all.bin', content: Buffer.from(wanted.bytes, 'base64')}]})
    .then(() => transport.close(), problem => { console.error(problem); process.exit(1); });
"""


@pytest.fixture(scope="module", params=[pytest.param(where, marks=marks(where)) for where in systems])
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param) as system:
        system.start()
        yield system


def node(transport: dict[str, object]) -> list[str]:
    wanted = {"transport": transport, "subject": SUBJECT, "text": TEXT, "bytes": base64.b64encode(BYTES).decode()}
    return ["env", "NODE_PATH=/usr/share/nodejs", "node", "-e", NODE, json.dumps(wanted)]


# As bob, with the text on the input, and the attachment in all.bin.
PROGRAMS: dict[str, list[str]] = {
    "mutt": ["mutt", "-n", "-F", "/dev/null", "-e", "set copy=no charset=utf-8 send_charset=utf-8 realname=Bob", "-s", SUBJECT, "-a", "all.bin", "--",
             "alice@test.invalid"],
    "s-nail": ["s-nail", "-:/", "-Sttycharset=utf-8", "-Ssendcharsets=utf-8", "-s", SUBJECT, "-a", "all.bin", "alice@test.invalid"],
    "swaks": ["swaks", "--server", "127.0.0.1", "--helo", "client.example", "--from", "bob@test.invalid", "--to", "alice@test.invalid", "--silent", "2",
              "--header", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_from_a_program?=", "--attach-type", "text/plain; charset=utf-8", "--attach-body", "@text",
              "--attach-type", "application/octet-stream", "--attach-name", "all.bin", "--attach", "@all.bin"],
    "nodemailer": node({"host": "127.0.0.1", "port": 25, "ignoreTLS": True}),
    "nodemailer, pooled": node({"host": "127.0.0.1", "port": 25, "pool": True, "ignoreTLS": True}),
    "nodemailer, by sendmail": node({"sendmail": True, "newline": "unix", "path": "/usr/sbin/sendmail"}),
}


def parsed(message: str) -> EmailMessage:
    raw = message.encode("utf-8", "surrogateescape")
    return email.message_from_bytes(raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw, policy=email.policy.default)  # type: ignore[return-value]


def text_of(message: EmailMessage) -> str:
    """As it was before the mailbox marked lines that begin with From."""
    part = message.get_body(("plain",))
    assert part is not None
    text = str(part.get_content()).replace("\r\n", "\n")
    encoded = part["Content-Transfer-Encoding"] in ("quoted-printable", "base64")
    return text if encoded else text.replace("\n>From ", "\nFrom ")


@pytest.mark.parametrize("name", PROGRAMS)
def test_arrives_intact(system: Installed, name: str) -> None:
    home = system.room.path("/home/bob")
    (home / "all.bin").write_bytes(BYTES)
    (home / "text").write_text(TEXT, encoding="utf-8")
    before = len(system.mailbox("alice"))
    system.run(["sh", "-c", 'cd /home/bob && exec "$@"', "sh", *PROGRAMS[name]], input=TEXT, user="bob", env={"LANG": "C.UTF-8"})
    message = parsed(system.wait_mailbox("alice", before + 1)[-1])
    assert message["Subject"] == SUBJECT
    encoded = "quoted-printable" in str(message) or "base64" in str(message)
    wanted = TEXT if encoded else TEXT.replace("\n>From ", "\nFrom ")
    assert text_of(message).rstrip("\n").replace("\n>From ", "\nFrom ") == wanted.rstrip("\n").replace("\n>From ", "\nFrom ")
    (attachment,) = [part for part in message.walk() if part.get_filename() == "all.bin"]
    assert attachment.get_content() == BYTES
    system.wait_queue()


GIT = """
set -e
rm -rf from to; git init -q from; cd from
git config user.name Bob; git config user.email bob@test.invalid
printf 'one\\n' >file; git add file; git commit -qm 'one: a beginning'
printf 'one\\n.\\n\\nFrom here\\ngr\\303\\274n\\n' >file; printf '\\001\\377\\000' >odd.bin; git add odd.bin; git commit -qam 'two: öde lines'
printf 'three\\n' >>file; git commit -qam 'three: the end'
git send-email --quiet --8bit-encoding=UTF-8 --confirm=never --to=alice@test.invalid --suppress-cc=all $OPTIONS HEAD~2
"""


@pytest.mark.parametrize("options", ["--smtp-server=127.0.0.1", "--smtp-server=/usr/sbin/sendmail"], ids=["smtp", "sendmail"])
def test_git_send_email(system: Installed, options: str) -> None:
    """The patches that were sent can be applied, and make the same tree."""
    before = len(system.mailbox("alice"))
    system.run(["sh", "-c", "cd /home/bob" + GIT], user="bob", env={"OPTIONS": options, "LANG": "C.UTF-8"})
    arrived = sorted(system.wait_mailbox("alice", before + 2)[before:], key=lambda message: parsed(message)["Subject"])
    (system.room.path("/home/bob") / "patches").write_bytes("".join(arrived).encode("utf-8", "surrogateescape"))
    script = ("cd /home/bob; git clone -q from to 2>&1; cd to; git reset -q --hard HEAD~2; git config user.name X; git config user.email x@test.invalid;"
              "git am -q ../patches; git rev-parse HEAD^{tree} origin/HEAD^{tree} | uniq | wc -l; git log --format=%an:%s -2")
    said = system.run(["sh", "-ec", script], user="bob", env={"LANG": "C.UTF-8"}).stdout
    assert said == "1\nBob:three: the end\nBob:two: öde lines\n"


DOVECOT = """
protocols = lmtp
base_dir = /var/lib/postfix/dovecot
log_path = /var/mail/dovecot.log
ssl = no
auth_username_format = %n
mail_location = maildir:/home/%n/Dovecot
default_internal_user = postfix
default_login_user = postfix
default_internal_group = postfix
first_valid_uid = 1
passdb {
  driver = static
  args = password=x
}
userdb {
  driver = passwd
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
"""

DELIVER = {
    "mailbox_transport": ["mailbox_transport = lmtp:unix:private/dovecot-lmtp"],
    "virtual_transport": ["virtual_transport = lmtp:unix:private/dovecot-lmtp", "mydestination =", "virtual_mailbox_domains = test.invalid"],
}


@pytest.fixture
def with_dovecot(make_system: Callable[..., System], request: pytest.FixtureRequest) -> Installed:
    where, main = request.param
    system = make_system(where)
    assert isinstance(system, Installed)
    system.configure(["mydestination = $myhostname, localhost, test.invalid", *main])
    system.start()
    system.room.write("/etc/dovecot-test.conf", DOVECOT)
    system.room.shell("mkdir -p /var/lib/postfix/dovecot; chmod 755 /var/lib/postfix")
    system.spawn(["dovecot", "-F", "-c", "/etc/dovecot-test.conf"])
    system.run(["sh", "-c", "n=0; until [ -S /var/spool/postfix/private/dovecot-lmtp ]; do n=$((n + 1)); [ $n -lt 400 ]; sleep 0.05; done"])
    return system


@pytest.mark.parametrize("with_dovecot", [pytest.param((where, main), marks=marks(where, ["libexec/lmtp"]), id=f"{where}-{name}")
                                          for where in systems for name, main in DELIVER.items()], indirect=True)
def test_dovecot_lmtp(with_dovecot: Installed) -> None:
    system = with_dovecot
    letter = f"From: carol@test.invalid\nSubject: over LMTP\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{TEXT}"
    system.send("alice@test.invalid", "bob@test.invalid", "nosuch@test.invalid", text=letter, sender="carol@test.invalid")
    system.log.wait(r"lmtp\[\d+\]: \w+: to=<alice@test\.invalid>, relay=mx\.test\.invalid\[private/dovecot-lmtp\], .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 <alice@test\.invalid> \S+ Saved\)")
    system.log.wait(r": to=<nosuch@test\.invalid>, .*dsn=5\.1\.1, status=bounced")
    system.wait_queue()
    for user in ("alice", "bob"):
        (message,) = mailbox.maildir(system.room.path(f"/home/{user}/Dovecot"))
        assert message.replace("\r\n", "\n").endswith("\n\n" + TEXT)
    # the notice for the sender came the same way
    assert "Undelivered" in mailbox.maildir(system.room.path("/home/carol/Dovecot"))[0]
