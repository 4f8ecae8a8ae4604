"""Who tells the sender of success (RFC 3461), and mail handed to an LMTP server by local and virtual settings."""

from __future__ import annotations

import pytest

from harness.oracle import Postfix
from harness.waybill import Waybill

from .peer import EHLO, Peer, Script

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtp")]

SYSTEMS = [pytest.param(Postfix, id="postfix"), pytest.param(Waybill, id="waybill")]
TRANSPORT = "transport_maps = inline:{ {there.test = smtp:[127.0.0.1]:2600}, {lmtp.test = lmtp:inet:[127.0.0.1]:2600} }"
LOCAL = "mydestination = test.invalid"
OFFERS_DSN = EHLO.replace("250 8BITMIME", "250-8BITMIME\n250 DSN")


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("domain", ["there.test", "lmtp.test"])
def test_relayed_notice(kind: type, domain: str) -> None:
    """A server without DSN will not tell of success: we do."""
    with kind() as system:
        system.configure([TRANSPORT, LOCAL])
        peer = Peer(system, "127.0.0.1", 2600, Script())
        system.start()
        system.run(["sendmail", "-i", "-N", "success", "-V", "env", "-f", "alice@test.invalid", f"bob@{domain}"], input="Subject: x\n\nbody\n")
        (notice,) = system.wait_mailbox("alice")
        peer.close()
        assert "Action: relayed" in notice and "Original-Envelope-Id: env" in notice and f"Final-Recipient: rfc822; bob@{domain}" in notice


@pytest.mark.parametrize("kind", SYSTEMS)
def test_no_notice(kind: type) -> None:
    """A server with DSN has been told, and will tell itself."""
    with kind() as system:
        system.configure([TRANSPORT, LOCAL])
        peer = Peer(system, "127.0.0.1", 2600, Script({"EHLO": OFFERS_DSN}))
        system.start()
        system.run(["sendmail", "-i", "-N", "success", "-f", "alice@test.invalid", "bob@there.test"], input="Subject: x\n\nbody\n")
        system.log.wait("status=sent")
        system.wait_queue()
        peer.close()
        assert system.mailbox("alice") == []
        assert any("NOTIFY=SUCCESS" in line for line in peer.sessions[0])


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("setting", ["mailbox_transport = lmtp:unix:delivery", "local_transport = lmtp:unix:delivery"])
def test_mailbox_by_lmtp(kind: type, setting: str) -> None:
    with kind() as system:
        system.configure([LOCAL, setting])
        peer = Peer(system, str(system.spool / "delivery"), 0, Script({"DOT": "250 2.0.0 kept\n550 5.2.2 full"}))
        system.start()
        system.run(["sendmail", "-i", "-f", "carol@test.invalid", "alice@test.invalid"], input="Subject: x\n\nbody\n")
        system.log.wait(r"relay=mx.test.invalid\[delivery\]")
        system.wait_queue()
        peer.close()
        assert peer.sessions[0][:3] == ["LHLO mx.test.invalid", "MAIL FROM:<carol@test.invalid> SIZE=" + peer.sessions[0][1].split("=")[1], "RCPT TO:<alice@test.invalid>"]
        assert "Subject: x" in peer.sessions[0]
