"""verify(8): what it believes and for how long, when it sends a probe, and what it keeps."""

from __future__ import annotations

import re
import socket

import pytest

from harness.ipc import converse
from harness.sink import sink

from .conftest import Maker, dump

pytestmark = [pytest.mark.root, pytest.mark.compat]

HELLO = "protocol|address_verification_prrotocol||"
IN_PROGRESS = "status|0|recipient_status|3|reason|Address verification in progress||"
DAY = 86400


def query(address: str) -> str:
    return f"request=query|address={address}"


def update(address: str, status: int, reason: str) -> str:
    return f"request=update|address={address}|recipient_status={status}|reason={reason}"


def known(status: int, reason: str) -> str:
    return f"status|0|recipient_status|{status}|reason|{reason}||"


#              what is in the cache, the answer, whether a probe is sent
BELIEVED: dict[str, tuple[str, str, bool]] = {
    "good": (f"0:0:TIME-{6 * DAY}:ok: text", known(0, "ok: text"), False),
    "good-old": (f"0:0:TIME-{8 * DAY}:ok", known(0, "ok"), True),
    "good-old-probed": (f"0:TIME-500:TIME-{8 * DAY}:ok", known(0, "ok"), False),
    "good-old-probed-long-ago": (f"0:TIME-1500:TIME-{8 * DAY}:ok", known(0, "ok"), True),
    "good-expired": (f"0:0:TIME-{32 * DAY}:ok", IN_PROGRESS, True),
    "good-empty": ("0:0:TIME-5:", known(0, ""), False),
    "good-expired-probed": (f"0:TIME-500:TIME-{32 * DAY}:ok", known(0, "ok"), False),
    "bad-expired-probed": (f"2:TIME-500:TIME-{4 * DAY}:bad", known(2, "bad"), False),
    "bad": ("2:0:TIME-3600:bad", known(2, "bad"), False),
    "bad-old": ("2:0:TIME-14400:bad", known(2, "bad"), True),
    "bad-expired": (f"2:0:TIME-{4 * DAY}:bad", IN_PROGRESS, True),
    "unclear": ("1:0:TIME-3600:later", known(1, "later"), False),
    "unclear-expired": (f"1:0:TIME-{4 * DAY}:later", IN_PROGRESS, True),
    "probed": ("3:TIME-5:0:Address verification in progress", IN_PROGRESS, False),
    "probed-long-ago": ("3:TIME-1100:0:Address verification in progress", IN_PROGRESS, True),
    "future": (f"0:0:TIME--{4 * DAY}:ok", known(0, "ok"), False),
    "damaged": ("foo", IN_PROGRESS, True),
    "damaged-short": ("0:1", IN_PROGRESS, True),
    "damaged-status": ("7:0:TIME-5:odd", IN_PROGRESS, True),
    "damaged-time": ("0:x:TIME-5:odd", IN_PROGRESS, True),
}
EXPIRED = [name for name in BELIEVED if name.endswith("expired") or name == "probed-long-ago"]


def test_what_is_believed(made: Maker) -> None:
    system = made(["transport_maps = static:discard:fine", "address_verify_cache_cleanup_interval = 0"], entries={f"{name}@x": row[0] for name, row in BELIEVED.items()})
    assert converse(system, "private/verify", [query(f"{name}@x") for name in BELIEVED]) == [HELLO, *(row[1] for row in BELIEVED.values())]
    system.log.wait(r"status=deliverable \(fine\)", count=sum(row[2] for row in BELIEVED.values()))
    for name, (_, _, probed) in BELIEVED.items():
        assert len(system.log.find(rf"to=<{name}@x>, relay=none, .* dsn=2\.0\.0, status=deliverable \(fine\)")) == probed, name
    assert {found[1] for found in system.log.find(r"warning: bad address verify table entry: (\S+)")} == {"foo", "0", "7"}
    system.wait_queue()


def test_what_is_kept(made: Maker) -> None:
    entries = {f"{name}@x": row[0] for name, row in BELIEVED.items()}
    system = made([], entries=entries)
    assert converse(system, "private/verify", [query("good@x")])[1] == known(0, "ok: text")
    dropped = [f"{name}@x" for name in BELIEVED if name in EXPIRED or name.startswith("damaged")]
    assert system.log.wait(r"verify\[\d+\]: cache btree:/var/lib/postfix/verify_cache (full cleanup: .*)")[0][1] \
        == f"full cleanup: retained={len(entries) - len(dropped)} dropped={len(dropped)} entries"
    assert set(dump(system)) == set(entries) - set(dropped) | {"_LAST_CACHE_CLEANUP_COMPLETED_"}
    system.stop()
    system.start()
    assert converse(system, "private/verify", [query("good@x")])[1] == known(0, "ok: text")
    assert len(system.log.find(r"cleanup: retained")) == 1  # the next one is due in twelve hours


@pytest.mark.parametrize("negative_cache", ["yes", "no"])
def test_updates(made: Maker, negative_cache: str) -> None:
    system = made([f"address_verify_negative_cache = {negative_cache}", "transport_maps = inline:{ {later.x = retry:4.3.2 not today}, {x = retry:4.3.2 not today}, {good.x = discard:} }"],
                  entries={"good@x": f"0:TIME-500:TIME-{32 * DAY}:ok", "bad@x": "2:TIME-500:TIME-100:bad"})
    done, wrong = "status|0||", "status|4294967294||"
    assert converse(system, "private/verify", [
        update("good@x", 2, "no"), update("good@x", 1, "later"), update("bad@x", 1, "later"), update("new@x", 2, ""), update("a:b@x", 0, "c:d"),
        update("Case@X", 1, "x"), query("case@x"), update("", 0, "empty"), update("x@x", 9, "no"), update("x@x", 3, "no"), "request=foo", "request=foo|a=b",
        query("x@later.x"), query("x@good.x"),
    ]) == [HELLO, *[done] * 6, IN_PROGRESS, done, *[wrong] * 4, IN_PROGRESS, IN_PROGRESS]
    system.log.wait(r"qmgr\[\d+\]: \w+: removed", count=3)
    cached = negative_cache == "yes"
    assert system.log.find(rf"to=<x@later\.x>, relay=none, .*, dsn=4\.3\.2, status=undeliverable{'' if cached else '-but-not-cached'} \(not today\)")
    assert system.log.find(r"to=<x@good\.x>, relay=none, .*, dsn=2\.0\.0, status=deliverable \(good\.x\)")
    for recipient, status in (("x", 9), ("x", 3)):
        assert system.log.find(rf"verify\[\d+\]: warning: bad recipient status {status} for recipient {recipient}@x")
    assert len(system.log.find(r'verify\[\d+\]: warning: unrecognized request: "foo", ignored')) == 2
    kept = dump(system)
    del kept["_LAST_CACHE_CLEANUP_COMPLETED_"]
    if cached:
        assert [kept.pop(key) for key in ("case@x", "x@later.x")] == ["1:0:TIME-0:not today"] * 2
    assert kept == {
        "good@x": "0:TIME:TIME:ok", "bad@x": "1:0:TIME-0:later", "new@x": "2:0:TIME-0:", "a_b@x": "0:0:TIME-0:c:d", "Case@X": "1:0:TIME-0:x",
        "": "0:0:TIME-0:empty", "x@good.x": "0:0:TIME-0:good.x",
    }


def test_a_request_of_another_form(made: Maker) -> None:
    """Debian's neither answers nor closes; ours closes."""
    system = made([], entries={})
    if system.name == "waybill":
        assert converse(system, "private/verify", ["request=query|b=x"]) == [HELLO, "closed"]
    else:
        assert converse(system, "private/verify", []) == [HELLO]
    assert converse(system, "private/verify", [update("good@x", 0, "fine"), query("good@x")]) == [HELLO, "status|0||", known(0, "fine")]


#             address_verify_map                         its name in the log              the file
PLACES: dict[str, tuple[str, str, str]] = {
    "memory": ("", "internal:verify", ""),
    "hash": ("hash:$data_directory/one", "hash:/var/lib/postfix/one", "hash:/var/lib/postfix/one"),
    "lmdb": ("lmdb:$data_directory/two", "lmdb:/var/lib/postfix/two", "lmdb:/var/lib/postfix/two"),
    "default-type": ("/var/lib/postfix/three", "hash:/var/lib/postfix/three", "hash:/var/lib/postfix/three"),
    "proxy": ("proxy:btree:$data_directory/four", "proxy:btree:/var/lib/postfix/four", "btree:/var/lib/postfix/four"),
    "elsewhere": ("btree:/etc/postfix/five", "btree:/var/lib/postfix/five", "btree:/var/lib/postfix/five"),
    "missing-folder": ("btree:/nowhere/six", "btree:/nowhere/six", ""),
    "unknown-type": ("nosuch:x", "nosuch:x", ""),
}


def test_where_it_is_kept(made: Maker) -> None:
    """A verify service for each place."""
    rows = [f"{name} unix - - n - 1 verify -o address_verify_map={row[0]}" for name, row in PLACES.items()]
    system = made(["proxy_write_maps = proxy:btree:$data_directory/four"], [*rows, "proxywrite unix - - n - 1 proxymap"])
    for name, (_, title, file) in PLACES.items():
        works = name not in ("missing-folder", "unknown-type")
        assert converse(system, f"private/{name}", [update("good@x", 0, "fine"), query("good@x")]) == [HELLO, "status|0||", known(0, "fine") if works else IN_PROGRESS], name
        system.log.wait(rf"verify\[\d+\]: cache {title} {'full' if works else 'partial'} cleanup: retained=[01] dropped=0 entries")
        if file:
            assert dump(system, file).get("good@x") == "0:0:TIME-0:fine", name
    assert system.log.find(r"warning: request to update table btree:/etc/postfix/five in non-postfix directory /etc/postfix")
    assert system.log.find(r"warning: redirecting the request to postfix-owned data_directory /var/lib/postfix")
    assert system.log.find(r"error: open database /nowhere/six\.db: No such file or directory")
    assert system.log.find(r"warning: btree:/nowhere/six: cache lookup for 'good@x' failed due to error")
    assert system.log.find(r"warning: btree:/nowhere/six: could not update entry for good@x")
    assert system.log.find(r"warning: nosuch:x is unavailable\. unsupported dictionary type: nosuch")


@pytest.mark.parametrize(("sender", "expected"), [
    pytest.param("$double_bounce_sender", "double-bounce@mx.test.invalid", id="default"),
    pytest.param("", "", id="empty"),
    pytest.param("<>", "", id="null"),
    pytest.param("probe@other.example", "probe@other.example", id="other"),
])
def test_the_probe(made: Maker, sender: str, expected: str) -> None:
    """It goes as far as RCPT, and no further."""
    system = made([f"address_verify_sender = {sender}", "transport_maps = inline:{ {far.x = smtp:[127.0.0.1]:2600}, {no.x = smtp:[127.0.0.1]:2601} }",
                   "virtual_alias_maps = inline:{ {Two@list.x = x@far.x}, {many@list.x = x@far.x y@far.x}, {no@list.x = x@no.x} }", "virtual_alias_domains = list.x"])
    with sink(system, 2600) as peer, sink(system, 2601, {"RCPT": "550 5.1.1 nobody of that name"}):
        converse(system, "private/verify", [query(address) for address in ("x@far.x", "Two@list.x", "no@list.x", "many@list.x", "a:b@far.x", "alice", "")])
        system.log.wait(r"qmgr\[\d+\]: \w+: removed", count=7)
        system.wait_queue()
        assert not peer.messages
    assert len(system.log.find(rf"qmgr\[\d+\]: \w+: from=<{expected}>, size=\d+, nrcpt=1 \(queue active\)")) == 6
    kept = dump(system)
    accepted, refused = "0:0:TIME-0:250 2.1.5 Ok", "2:0:TIME-0:host 127.0.0.1[127.0.0.1] said: 550 5.1.1 nobody of that name (in reply to RCPT TO command)"
    assert {key: kept[key] for key in ("x@far.x", "Two@list.x", "no@list.x", "x@no.x", "a_b@far.x", "alice", "alice@mx.test.invalid")} == {
        "x@far.x": accepted, "Two@list.x": accepted, "no@list.x": refused, "x@no.x": refused, "a_b@far.x": accepted,
        "alice": "0:0:TIME-0:delivers to mailbox", "alice@mx.test.invalid": "0:0:TIME-0:delivers to mailbox",
    }
    assert kept["many@list.x"] == "0:0:TIME-0:aliased to multiple recipients"
    assert "MAILER-DAEMON@mx.test.invalid" in kept


def test_what_a_probe_looks_like(made: Maker) -> None:
    system = made(["transport_maps = static:smtp:[127.0.0.1]:2600"])
    with system.network():
        silent = socket.create_server(("127.0.0.1", 2600))
    with silent:
        converse(system, "private/verify", [query("x@far.x")])
        queue_id = system.log.wait(r"qmgr\[\d+\]: (\w+): from=<double-bounce@mx\.test\.invalid>, size=\d+")[0][1]
        text = system.run(["postcat", "-eh", "-q", queue_id]).stdout
    text = re.sub(r"\w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} \+0000 \(UTC\)", "DATE", re.sub(r"<\d{14}\.", "<TIME.", text)).replace(queue_id, "ID")
    assert [line for line in text.splitlines() if not line.startswith(("***", "message_size", "message_arrival_time", "create_time"))] == [
        "named_attribute: log_message_origin=local", "named_attribute: trace_flags=256", "sender: double-bounce@mx.test.invalid",
        "named_attribute: dsn_orig_rcpt=rfc822;x@far.x", "original_recipient: x@far.x", "recipient: x@far.x",
        "Received: by mx.test.invalid (Postfix)", "\tid ID; DATE", "Date: DATE", "Message-Id: <TIME.ID@mx.test.invalid>", "From: double-bounce@mx.test.invalid",
    ]


#            recipient, relay, text of the outcome with the address_verify_ parameters, and without
WAYS = [
    ("x@far.example", 1, "4.4.1", "connect to 127.0.0.1[127.0.0.1]:2611: Connection refused", "connect to 127.0.0.1[127.0.0.1]:2610: Connection refused"),
    ("x@relay.example", 2, "2.0.0", "relayed", "normal relay"),
    ("x@virtual.example", 2, "2.0.0", "virtual", "normal virtual"),
    ("alice@mx.test.invalid", 2, "2.0.0", "local", "delivers to mailbox"),
    ("x@map.example", 2, "2.0.0", "special", "normal"),
    ("x@error.example", 5, "5.7.1", "no", "yes"),
    ("x@late.example", 4, "4.3.2", "deferred transport", "deferred transport"),
    ("x@gone.example", 4, "4.3.0", "mail transport unavailable", "mail transport unavailable"),
]


def test_the_way_of_probes(made: Maker) -> None:
    """The address_verify_ parameters are for verify's probes alone, not for those of sendmail -bv."""
    system = made([
        "address_verify_relayhost = [127.0.0.1]:2611", "relayhost = [127.0.0.1]:2610", "relay_domains = relay.example", "virtual_mailbox_domains = virtual.example",
        "address_verify_local_transport = discard:local", "address_verify_relay_transport = discard:relayed", "relay_transport = discard:normal relay",
        "address_verify_virtual_transport = discard:virtual", "virtual_transport = discard:normal virtual", "defer_transports = late",
        "transport_maps = inline:{ map.example=discard:normal, gone.example=gone:, late.example=late:, {error.example=discard:yes} }",
        "address_verify_transport_maps = inline:{ map.example=discard:special, gone.example=gone:, late.example=late:, {error.example=error:5.7.1 no} }",
    ])
    converse(system, "private/verify", [query(way[0]) for way in WAYS])
    system.run(["sendmail", "-bv", *(way[0] for way in WAYS)], input="")
    for recipient, _, _, probed, asked in WAYS:
        for reason in (probed, asked):
            system.log.wait(rf"to=<{recipient}>, relay=\w+, .* status=(un)?deliverable \({re.escape(reason)}\)")
    system.wait_queue()
    assert {recipient: dump(system)[recipient] for recipient, *_ in WAYS} == {
        recipient: f"{0 if dsn[0] == '2' else 1 if dsn[0] == '4' else 2}:0:TIME-0:{reason}" for recipient, _, dsn, reason, _ in WAYS}


def test_too_many_probes(made: Maker) -> None:
    system = made(["address_verify_pending_request_limit = 1", "transport_maps = static:smtp:[127.0.0.1]:2600"])
    with system.network():
        silent = socket.create_server(("127.0.0.1", 2600))
    with silent:
        converse(system, "private/verify", [query("x@1.x")])
        system.log.wait(r"from=<double-bounce@mx.test.invalid>, size=\d+, nrcpt=1 \(queue active\)")
        converse(system, "private/verify", [query("x@2.x")])
        system.log.wait(r"error\[\d+\]: \w+: to=<x@2\.x>, relay=none, .* dsn=4\.3\.2, status=undeliverable \(Too many address verification requests\)")
    system.log.wait(r"to=<x@1\.x>.* status=undeliverable \(")
    system.wait_queue()
    assert dump(system)["x@2.x"] == "1:0:TIME-0:Too many address verification requests"


def test_no_agent_at_all(made: Maker) -> None:
    """What not even the retry service can be told of, the queue manager tells verify and trace itself."""
    system = made(["transport_maps = static:gone:", "virtual_alias_maps = inline:{ {asked@x = x@x} }"])
    (system.spool / "private/retry").unlink()
    converse(system, "private/verify", [query("asked@x")])
    system.run(["sendmail", "-bv", "-f", "", "y@x"], input="")
    system.log.wait(r"qmgr\[\d+\]: \w+: to=<x@x>, orig_to=<asked@x>, relay=none, .* dsn=4\.3\.0, status=undeliverable \(mail transport unavailable\)")
    system.log.wait(r"qmgr\[\d+\]: \w+: to=<y@x>, .*relay=none, .* dsn=4\.3\.0, status=undeliverable \(mail transport unavailable\)")
    system.log.wait(r"qmgr\[\d+\]: \w+: removed", count=2)
    assert {key: dump(system)[key] for key in ("asked@x", "x@x")} == dict.fromkeys(("asked@x", "x@x"), "1:0:TIME-0:mail transport unavailable")
