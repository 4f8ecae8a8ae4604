"""What restrictions say of clients, greetings, senders and recipients; with the zone that they look at."""

from __future__ import annotations

from collections.abc import Sequence

from .run import SENDER, Case
from .server import TCP

ZONE = [
    "sender.test. 60 MX 10 mail.sender.test.", "mail.sender.test. 60 A 192.0.2.1",
    "nothing.test. 60 TXT x", "aonly.test. 60 A 192.0.2.2", "mxnoa.test. 60 MX 10 zzz.mxnoa.test.", "client.test. 60 A 127.0.0.9",
    "nullmx.test. 60 MX 0 .", "emptymx.test. 60 MX 10 .", "twonull.test. 60 MX 10 mail.sender.test.", "twonull.test. 60 MX 0 .",
    # the names of clients
    "10.0.0.127.in-addr.arpa. 60 PTR good.client.test.", "good.client.test. 60 A 127.0.0.10",
    "11.0.0.127.in-addr.arpa. 60 PTR bad.client.test.", "bad.client.test. 60 A 127.0.0.77",
    "12.0.0.127.in-addr.arpa. 60 PTR missing.client.test.", "13.0.0.127.in-addr.arpa. 60 PTR soft.client.test.",
    "16.0.0.127.in-addr.arpa. 60 PTR 1.2.3.4.", "17.0.0.127.in-addr.arpa. 60 PTR a_b.client.test.", "a_b.client.test. 60 A 127.0.0.17",
    "18.0.0.127.in-addr.arpa. 60 PTR -x.client.test.", "21.0.0.127.in-addr.arpa. 60 PTR a.",
    # lists
    "9.0.0.127.rbl.test. 60 A 127.0.0.2", "9.0.0.127.rbl.test. 60 A 127.0.0.10", '9.0.0.127.rbl.test. 60 TXT "Listed, see http://rbl.test/9"',
    "9.0.0.127.notxt.test. 60 A 127.0.0.4", "9.0.0.127.odd.test. 60 A 10.1.2.3", "9.0.0.127.a6.test. 60 AAAA ::1",
    "9.0.0.127.two.test. 60 A 127.0.0.4", '9.0.0.127.two.test. 60 TXT "one"', '9.0.0.127.two.test. 60 TXT "two"',
    "9.0.0.127.esc.test. 60 A 127.0.0.4", '9.0.0.127.esc.test. 60 TXT "a$b %s ${x}"', "9.0.0.127.ctl.test. 60 A 127.0.0.4",
    '9.0.0.127.ctl.test. 60 TXT "a\\011b\\001c"', "9.0.0.127.txtdown.test. 60 A 127.0.0.4",
    "9.0.0.127.many.test. 60 A 127.0.0.4", *(f'9.0.0.127.many.test. 60 TXT "{letter * 100}"' for letter in "abcde"),
    "client.test.rhsbl.test. 60 A 127.0.0.2", 'client.test.rhsbl.test. 60 TXT "bad helo"', "sender.test.rhsbl.test. 60 A 127.0.0.2",
    'sender.test.rhsbl.test. 60 TXT "bad sender"', "test.invalid.rhsbl.test. 60 A 127.0.0.3", "good.client.test.rhsbl.test. 60 A 127.0.0.5",
    "bad.client.test.rhsbl.test. 60 A 127.0.0.5",
    # servers behind names
    "deep.test. 60 NS ns1.ns.test.", "deep.test. 60 MX 10 mx1.deep.test.", "deep.test. 60 MX 5 mx0.deep.test.", "mx0.deep.test. 60 A 192.0.2.50",
    "mx1.deep.test. 60 A 192.0.2.51", "ns1.ns.test. 60 A 192.0.2.53", "deep.test. 60 A 192.0.2.54", "host.deep.test. 60 A 192.0.2.60",
    "good.client.test. 60 MX 10 mx0.deep.test.", "test. 60 NS top.ns.test.", "top.ns.test. 60 A 192.0.2.99", "client.test. 60 NS ns1.ns.test.",
    "brk.test. 60 MX 10 gone.brk.test.", "brk.test. 60 NS gone.brk.test.", "soft.test. 60 MX 10 softmx.soft.test.", "loop.test. 60 CNAME deep.test.",
    "test.invalid. 60 MX 10 mx0.deep.test.", "test.invalid. 60 A 192.0.2.54", "test.invalid. 60 NS ns1.ns.test.", "v6.test. 60 MX 10 v6mx.test.",
    "v6mx.test. 60 AAAA 2001:db8::1", "lit.test. 60 MX 10 192.0.2.77.",
    # backups
    "bk.test. 60 MX 20 me.bk.test.", "bk.test. 60 MX 10 prim.bk.test.", "me.bk.test. 60 A 127.0.0.1", "prim.bk.test. 60 A 192.0.2.1",
    "pm.test. 60 MX 10 me.bk.test.", "pm.test. 60 MX 20 prim.bk.test.", "nb.test. 60 MX 10 prim.bk.test.", "mm.test. 60 MX 10 prim.bk.test.",
    "mm.test. 60 MX 20 mx.test.invalid.", "eq.test. 60 MX 10 prim.bk.test.", "eq.test. 60 MX 10 me.bk.test.", "nx.test. 60 MX 10 gone.nx.test.",
    "nx.test. 60 MX 20 me.bk.test.",
]
ODD = {name + ".": "servfail" for name in (
    "servfail.test", "half.test", "soft.client.test", "15.0.0.127.in-addr.arpa", "9.0.0.127.down.test", "good.client.test.rhdown.test", "softmx.soft.test",
)} | {"refused.test.": "refused", "9.0.0.127.txtdown.test. TXT": "servfail"}

RCPT, RELAY = "smtpd_recipient_restrictions = ", "smtpd_relay_restrictions = "


def client(number: int) -> str:
    return f"127.0.0.{number}"


def of_sender(restrictions: str, *senders: str) -> list[Case]:
    return [Case(f"{restrictions} from <{who}>", [RCPT + restrictions], sender=who) for who in senders]


def of_recipient(restrictions: str, *recipients: str) -> list[Case]:
    return [Case(f"{restrictions} to {who}", [RELAY + restrictions, RCPT], recipient=who) for who in recipients]


def of_helo(restrictions: str, *names: str) -> list[Case]:
    return [Case(f"{restrictions} helo {name}", [RCPT + restrictions], helo=name) for name in names]


def of_client(restrictions: str, *numbers: int) -> list[Case]:
    return [Case(f"{restrictions} client {number}", [RCPT + restrictions], client=client(number)) for number in numbers]


def lists(*restrictions: str) -> list[Case]:
    return [Case(text, [RCPT + text]) for text in restrictions]


DOMAINS = [
    *of_sender("reject_unknown_sender_domain", *(f"a@{domain}" for domain in (
        "sender.test", "missing.test", "nothing.test", "nullmx.test", "emptymx.test", "twonull.test", "aonly.test", "mxnoa.test", "servfail.test", "refused.test",
        "half.test", "[192.0.2.1]", "test.invalid")), ""),
    *of_sender("reject_unknown_sender_domain, reject", "a@servfail.test"),
    *of_recipient("permit_auth_destination, reject_unknown_recipient_domain, reject", *(f"a@{domain}" for domain in (
        "missing.test", "sender.test", "nullmx.test", "servfail.test"))),
    *(Case(f"no answer, {action}", [RCPT + "reject_unknown_sender_domain, reject", f"unknown_address_tempfail_action = {action}"], sender="a@servfail.test")
      for action in ("defer", "defer_if_permit")),
    Case("no answer about the greeting, defer", [RCPT + "reject_unknown_helo_hostname, reject", "unknown_helo_hostname_tempfail_action = defer"], helo="servfail.test"),
    Case("no answer, by the common parameter", [RCPT + "reject_unknown_helo_hostname, reject", "reject_tempfail_action = defer"], helo="servfail.test"),
    *(Case(f"code 550 for {domain}", [RCPT + "reject_unknown_sender_domain", "unknown_address_reject_code = 550"], sender=f"a@{domain}")
      for domain in ("missing.test", "servfail.test", "nullmx.test")),
    *of_sender("warn_if_reject reject_unknown_sender_domain", "a@missing.test", "a@servfail.test"),
    Case("at MAIL", ["smtpd_delay_reject = no", "smtpd_sender_restrictions = reject_unknown_sender_domain"], sender="a@missing.test"),
    Case("at MAIL, no answer", ["smtpd_delay_reject = no", "smtpd_sender_restrictions = reject_unknown_sender_domain"], sender="a@servfail.test"),
    *of_sender("reject_non_fqdn_sender", "a@host", "a", "", "a@host.test", "a@[192.0.2.1]", "a@test.", "a!b"),
    *of_recipient("reject_non_fqdn_recipient, reject", "a@host", "a", "a@host.test"),
    Case("non_fqdn_reject_code", [RCPT + "reject_non_fqdn_sender", "non_fqdn_reject_code = 550"], sender="a@b"),
]

GREETINGS = [
    *of_helo("reject_unknown_helo_hostname", "client.test", "missing.test", "nothing.test", "servfail.test", "sender.test", "aonly.test", "nullmx.test", "[bad]",
             "[192.0.2.1]", "192.0.2.1", "client.test.", "a..b"),
    *of_helo("reject_invalid_helo_hostname", "client", "[192.0.2.1]", "192.0.2.1", "[bad]", "a_b.test", "-x.test", "a..b", "x y", "client.test.", "[::1]",
             "[IPv6:2001:db8::1]", "[127.0.0.9", "1.2.3", "!", "127.0.0.1."),
    *of_helo("reject_non_fqdn_helo_hostname", "client.test", "client", "192.0.2.1", "[bad]", "foo.", "client.test.", "-x.test"),
    *of_helo("reject", "a\"#(),;:<>@[\\]`|~z", "aä b"),
    Case("no greeting", [RCPT + "reject_unknown_helo_hostname, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname"],
         says=("MAIL FROM:<a@b.test>", "RCPT TO:<bob@test.invalid>", "QUIT")),
    Case("codes of greetings", [RCPT + "reject_invalid_helo_hostname", "invalid_hostname_reject_code = 555"], helo="a..b"),
    Case("code of unknown greetings", [RCPT + "reject_unknown_helo_hostname", "unknown_hostname_reject_code = 555"], helo="a..b"),
    Case("in the list of greetings", ["smtpd_helo_restrictions = reject_non_fqdn_helo_hostname"], helo="x"),
    Case("at EHLO", ["smtpd_delay_reject = no", "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname"], helo="x"),
]

CLIENTS = [
    *of_client("reject_unknown_client_hostname, reject", 9, 10, 11, 12, 13, 15, 16, 17, 18, 21),
    *of_client("reject_unknown_reverse_client_hostname, reject", 9, 10, 11, 15),
    *of_client("check_reverse_client_hostname_access inline:{{client.test=REJECT reverse}}", 11, 12),
    *(Case(f"code 550 for client {number}", [RCPT + restriction, "unknown_client_reject_code = 550"], client=client(number))
      for restriction in ("reject_unknown_client_hostname", "reject_unknown_reverse_client_hostname") for number in (9, 13, 15)),
    Case("at the beginning", ["smtpd_delay_reject = no", "smtpd_client_restrictions = reject_unknown_client_hostname"]),
]

LISTS = [
    *lists("reject_rbl_client rbl.test", "reject_rbl_client notxt.test", "reject_rbl_client none.test, reject", "reject_rbl_client odd.test",
           "reject_rbl_client odd.test=10.1.2.3", "reject_rbl_client rbl.test=127.0.0.2", "reject_rbl_client rbl.test=127.0.0.3",
           "reject_rbl_client rbl.test=127.0.0.[1..5;7]", "reject_rbl_client rbl.test=127.0.0.[3;10..11]", "reject_rbl_client rbl.test=127.0.[0..255].[20]",
           "reject_rbl_client down.test", "reject_rbl_client down.test, reject", "reject_rbl_client txtdown.test", "reject_rbl_client two.test",
           "reject_rbl_client esc.test", "reject_rbl_client ctl.test", "reject_rbl_client many.test", "reject_rbl_client a6.test",
           "warn_if_reject reject_rbl_client rbl.test", "reject_rbl rbl.test",
           "REJECT_RBL_CLIENT RBL.test", "reject_rbl_client none.test, reject_rbl_client rbl.test", "reject_rbl_client", "permit_dnswl_client",
           "permit_dnswl_client rbl.test, reject", "permit_dnswl_client none.test, reject", "permit_dnswl_client down.test, reject", "permit_dnswl_client down.test",
           "permit_dnswl_client rbl.test=127.0.0.2, reject", "permit_dnswl_client rbl.test=127.0.0.9, reject",
           "reject_rhsbl_client rhsbl.test", "reject_rhsbl_reverse_client rhsbl.test", "reject_rhsbl_helo rhsbl.test", "reject_rhsbl_sender rhsbl.test",
           "reject_rhsbl_recipient rhsbl.test", "reject_rhsbl_sender rhsbl.test=127.0.0.3", "reject_rhsbl_recipient none.test"),
    *of_client("reject_rhsbl_client rhsbl.test", 10, 11), *of_client("reject_rhsbl_reverse_client rhsbl.test", 10, 11),
    *of_client("permit_rhswl_client rhsbl.test, reject", 9, 10, 11, 13), *of_client("permit_rhswl_client rhdown.test, reject", 10),
    *of_helo("reject_rhsbl_helo rhsbl.test", "[127.0.0.9]", "client", "sub.client.test"),
    *of_sender("reject_rhsbl_sender rhsbl.test", "", "a", "a@[127.0.0.9]", "a@b@sender.test", "A@Sender.Test"),
    *(Case(f"{restriction} {where}", [RELAY + restriction + ", reject", RCPT], recipient=f"a@{where}", client=address)
      for restriction, address in (("permit_dnswl_client rbl.test", client(9)), ("permit_rhswl_client rhsbl.test", client(10)))
      for where in ("other.test", "test.invalid")),
    Case("allowed, at the beginning", ["smtpd_delay_reject = no", "smtpd_client_restrictions = permit_dnswl_client rbl.test, reject"]),
    Case("listed, at the beginning", ["smtpd_delay_reject = no", "smtpd_client_restrictions = reject_rbl_client rbl.test"]),
    Case("421 at the beginning", ["smtpd_delay_reject = no", "smtpd_client_restrictions = reject_rbl_client rbl.test", "default_rbl_reply = 421 4.7.0 bye"]),
    *(Case(f"reply {reply}", [RCPT + "reject_rbl_client rbl.test", f"default_rbl_reply = {reply}"]) for reply in (
        "$rbl_code Blocked $rbl_what by $rbl_domain: $rbl_reason class $rbl_class txt $rbl_txt $client $client_name $client_address $reverse_client_name $helo_name "
        "$sender $sender_name $sender_domain $recipient $recipient_name $recipient_domain $$.",
        "$rbl_code Try ${rbl_reason?because $rbl_reason}${rbl_txt:no}", "$rbl_code", "$rbl_code  4.5.6 wrong class", "550 5.7.9 Custom", "Junk", "421 go away",
        "521 4.7.1 go away", "200 fine", "554 5.x.1 a")),
    Case("reply without a sender", [RCPT + "reject_rbl_client rbl.test", "default_rbl_reply = $rbl_code [$sender] [$sender_name] [$sender_domain]"], sender=""),
    Case("maps_rbl_reject_code", [RCPT + "reject_rbl_client rbl.test", "maps_rbl_reject_code = 450"]),
    Case("reply by list", [RCPT + "reject_rbl_client rbl.test", "rbl_reply_maps = inline:{{rbl.test=550 mapped $$rbl_domain $$rbl_class}}"]),
    Case("reply by list and filter", [RCPT + "reject_rbl_client rbl.test=127.0.0.2", "rbl_reply_maps = pcre:{{/(.*)/ 554 key $$1}}"]),
    Case("reply by another list", [RCPT + "reject_rbl_client rbl.test", "rbl_reply_maps = inline:{{other.test=550 mapped}}"]),
    Case("reply map fails", [RCPT + "reject_rbl_client rbl.test", "rbl_reply_maps = fail:x"]),
    Case("maps_rbl_domains", [RCPT + "reject_maps_rbl", "maps_rbl_domains = none.test, rbl.test"]),
    Case("several recipients", ["smtpd_client_restrictions = reject_rbl_client down.test, warn_if_reject reject_rbl_client two.test"],
         says=("EHLO x", "MAIL FROM:<a@b.test>", *["RCPT TO:<bob@test.invalid>"] * 3, "QUIT")),
    Case("in a class", ["smtpd_restriction_classes = foo", "foo = reject_rbl_client rbl.test", "smtpd_client_restrictions = foo"]),
    Case("in a table", ["smtpd_client_restrictions = check_client_access inline:{{unknown=reject_rbl_client rbl.test}}"]),
]

TABLES = {
    "name": "inline:{{mx0.deep.test=REJECT mxname} {ns1.ns.test=REJECT nsname}}", "address": "inline:{{192.0.2.51=REJECT mxaddr} {192.0.2.53=REJECT nsaddr}}",
    "net": "inline:{{192.0.2=REJECT net}}", "cidr": "cidr:{{192.0.2.0/24 REJECT cidr}}", "ok": "inline:{{mx0.deep.test=OK}}",
    "dunno": "inline:{{mx0.deep.test=DUNNO}}", "defer": "inline:{{mx0.deep.test=DEFER}}", "parent": "inline:{{deep.test=REJECT parent}}", "static": "static:REJECT",
    "top": "inline:{{top.ns.test=REJECT top}}", "hold": "inline:{{mx0.deep.test=HOLD}}", "class": "inline:{{mx0.deep.test=reject_unknown_helo_hostname,reject}}",
    "permit": "inline:{{mx0.deep.test=permit}}",
}
SERVERS = [
    *(Case(f"{kind} {table} {who}", [RCPT + f"check_sender_{kind}_access {TABLES[table]}, reject"], sender=who)
      for table, who in (("name", "a@deep.test"), ("address", "a@deep.test"), ("cidr", "a@deep.test"), ("net", "a@host.deep.test"), ("static", "a@missing.test"),
                         ("name", "a@brk.test"), ("net", "a@soft.test"), ("static", "a@servfail.test"), ("static", "a@nullmx.test"), ("static", ""), ("static", "a"),
                         ("net", "a@[192.0.2.54]"), ("name", "a@loop.test"), ("net", "a@v6.test"), ("net", "a@lit.test"), ("static", "a@nothing.test"))
      for kind in ("mx", "ns", "a")),
    *(Case(f"mx {table}", [RCPT + f"check_sender_mx_access {TABLES[table]}"], sender="a@deep.test") for table in (
        "ok", "dunno", "defer", "parent", "hold", "class", "permit")),
    *(Case(f"ns {table} {who}", [RCPT + f"check_sender_ns_access {TABLES[table]}"], sender=who) for table, who in (
        ("name", "a@very.low.host.deep.test"), ("top", "a@aonly.test"), ("top", "a@missing.test"), ("top", "a@test"))),
    *(case for kind in ("mx", "ns", "a") for case in (
        *of_helo(f"check_helo_{kind}_access static:REJECT", "deep.test", "[192.0.2.54]", "192.0.2.54", "missing.test"),
        *of_recipient(f"check_recipient_{kind}_access static:REJECT, reject_unauth_destination", "bob@test.invalid", "bob"),
        *of_client(f"check_client_{kind}_access static:REJECT", 9, 10, 11), *of_client(f"check_reverse_client_hostname_{kind}_access static:REJECT", 9, 11))),
    *of_sender("warn_if_reject check_sender_mx_access static:REJECT", "a@deep.test"),
]

BACKUPS = [
    *of_recipient("permit_mx_backup, reject", *(f"a@{domain}" for domain in (
        "bk.test", "pm.test", "nb.test", "mm.test", "eq.test", "nx.test", "missing.test", "servfail.test", "nullmx.test", "aonly.test", "test.invalid", "[127.0.0.1]")),
        "a", "a%x.test@bk.test"),
    *(Case(f"networks {networks} {domain}", [RELAY + "permit_mx_backup, reject", RCPT, f"permit_mx_backup_networks = {networks}"], recipient=f"a@{domain}")
      for networks in ("192.0.2.0/24", "198.51.100.0/24") for domain in ("bk.test", "nx.test", "mm.test")),
    Case("no answer, then permitted", [RELAY + "permit_mx_backup, permit_mynetworks", RCPT + "check_sender_access static:OK, reject"], recipient="a@servfail.test"),
]

ORDER = lists(
    "defer_if_permit", "defer_if_permit, defer", "defer_if_permit, reject", "defer_if_permit, permit", "defer_if_reject, reject", "defer_if_reject, permit",
    "defer_if_permit, defer_if_reject, permit", "defer_if_reject, defer_if_permit, reject", "defer_if_reject, reject_unknown_sender_domain, defer",
    "warn_if_reject defer_if_permit", "warn_if_reject defer_if_reject, reject", "warn_if_reject reject, permit_mynetworks", "warn_if_reject sleep 0, reject",
    *(f"{before}check_sender_access inline:{{{{sender.test={value}}}}}, {after}" for before, value, after in (
        ("", "DEFER_IF_PERMIT", "permit"), ("", "DEFER_IF_PERMIT 4.3.2 x y", "permit"), ("", "DEFER_IF_REJECT", "reject"), ("warn_if_reject ", "DEFER_IF_PERMIT x", "permit"),
        ("warn_if_reject ", "DEFER_IF_REJECT x", "reject"), ("", "permit,reject", "reject"), ("", "permit_mynetworks reject", "permit"))),
    "reject_plaintext_session", "reject_multi_recipient_bounce", "sleep", "sleep x", "sleep 0", "REJECT", "Permit_MyNetworks, REJECT_unauth_pipelining, reject", "defer",
    "no_such_restriction", "check_recipient_mx_access",
    # without SASL and TLS
    "reject_sender_login_mismatch", "reject_authenticated_sender_login_mismatch", "reject_known_sender_login_mismatch", "reject_unauthenticated_sender_login_mismatch",
    "check_sasl_access inline:{a=REJECT}", "check_sasl_access", "permit_tls_all_clientcerts", "check_ccert_access inline:{a=b}",
    # of former times
    "reject_unknown_hostname", "reject_invalid_hostname", "reject_non_fqdn_hostname", "reject_unknown_client", "reject_unknown_address", "permit_naked_ip_address, reject",
    "check_relay_domains",
) + of_recipient("check_relay_domains", "a@other.test") + of_helo("permit_naked_ip_address, reject", "127.0.0.1", "[127.0.0.1]") + [
    Case("a notice to two, at DATA", ["smtpd_data_restrictions = reject_multi_recipient_bounce"],
         says=("HELO x", "MAIL FROM:<>", "RCPT TO:<bob@test.invalid>", "RCPT TO:<al@test.invalid>", "DATA", "QUIT")),
    Case("a notice to two, at RCPT", [RCPT + "reject_multi_recipient_bounce"],
         says=("HELO x", "MAIL FROM:<>", "RCPT TO:<bob@test.invalid>", "RCPT TO:<al@test.invalid>", "QUIT")),
]

SERVER = f"inet:127.0.0.1:{TCP}"
DEAD = "inet:127.0.0.1:2998"


def policy(action: str, *settings: str, name: str = "", where: str = "smtpd_recipient_restrictions", server: str = SERVER, behind: str = "",
           says: Sequence[str] | None = None, address: str = client(9)) -> Case:
    return Case("policy " + (name or action), [f"{where} = check_policy_service {server}{behind}", f"smtpd_policy_service_policy_context = $CASE {action}", *settings],
                says=says, client=address)


MESSAGE = ("MAIL FROM:<a@b.test> SIZE=1000", "RCPT TO:<bob@test.invalid>", "RCPT TO:<al@test.invalid>", "DATA", "..a\r\n\r\nb\r\n.")
OURS = ", reject_unauth_destination"
POLICY = [
    *(policy(action) for action in (
        "DUNNO", "OK", "REJECT", "REJECT no way", "DEFER", "DEFER later", "DEFER_IF_PERMIT wait", "DEFER_IF_REJECT wait", "550 5.1.1 nope", "450 hm", "421 bye",
        "PREPEND X-A: b", "PREPEND junk", "FILTER smtp:x", "FILTER x", "HOLD", "HOLD because", "REDIRECT a@b.test", "BCC a@b.test", "DISCARD", "WARN oh", "INFO hi",
        "dunno", "permit", "reject", "550", "5xx foo", "reject_unknown_sender_domain", "bogus action", f"check_policy_service {SERVER}",
        # servers that are broken
        "!close", "!once", "!raw |", "!raw foo=bar||", "!raw action=DUNNO|foo=bar||", "!raw action=REJECT|action=DUNNO||",
        "!raw garbage||", "!raw action||", "!raw action=||", "!raw foo=bar|action=REJECT||", "!raw action=DUNNO||action=REJECT||")),
    *(policy(action, server=f"{{ {SERVER}, timeout=1s }}") for action in ("!hang", "!raw action=DUNNO", "!raw action=DUNNO|")),
    policy("REJECT x", name="over a UNIX socket", server="unix:policy"), policy("REJECT x", name="by name", server=f"inet:localhost:{TCP}"),
    policy("REJECT x", name="a port alone", server=f"inet:{TCP}"), policy("", name="nobody listens", server=DEAD),
    policy("", name="no socket", server="unix:nopolicy"), policy("", name="no such host", server="inet:nosuchhost.test:2998"),
    policy("", name="no such port", server="inet:127.0.0.1:nosuchport"),
    policy("", name="options", server=f"{{ {DEAD}, default_action=DUNNO, timeout=1s, try_limit=1 }}"),
    policy("", name="an option in braces", server=f"{{ {DEAD}, {{ default_action = DEFER sorry about that }}, try_limit=1 }}"),
    policy("", name="three tries", server=f"{{ {DEAD}, try_limit=3, retry_delay=1s }}"),
    policy("DUNNO", name="policy_context", server=f"{{ {SERVER}, policy_context=other }}"),
    policy("", "smtpd_policy_service_default_action = 451 4.7.1 sorry", "smtpd_policy_service_try_limit = 1", name="default action", server=DEAD),
    policy("DUNNO", name="one request each", server=f"{{ {SERVER}, request_limit=1 }}", behind=f", check_policy_service {{ {SERVER}, request_limit=1 }}"),
    policy("DUNNO", name="twice", behind=f", check_policy_service {SERVER}"),
    policy("DEFER_IF_REJECT wait", name="and reject", behind=", reject"),
    policy("DUNNO", "stress = yes", name="stress"),
    Case("policy, only a warning", [RCPT + f"warn_if_reject check_policy_service {SERVER}", "smtpd_policy_service_policy_context = $CASE REJECT x"]),
    policy("REJECT no", "smtpd_restriction_classes = asked", f"asked = check_policy_service {SERVER}", "smtpd_client_restrictions = asked", name="in a class"),
    *(policy("DUNNO", f"smtpd_delay_reject = {delay}", *([RCPT + "permit"] if where == "relay" else []), name=f"at {where}, delay {delay}",
             where=f"smtpd_{where}_restrictions", behind=OURS if where == "relay" else "", says=("EHLO x", *MESSAGE, "QUIT"))
      for delay in ("yes", "no") for where in ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")),
    policy("PREPEND X-A: b", name="too late for a header", where="smtpd_end_of_data_restrictions", says=("EHLO x", *MESSAGE, "QUIT")),
    policy("REJECT b", name="refused at the end", where="smtpd_end_of_data_restrictions", says=("EHLO x", *MESSAGE, "QUIT")),
    policy("DUNNO", name="one recipient, at DATA", where="smtpd_data_restrictions", says=("EHLO x", *MESSAGE[:2], *MESSAGE[3:], "QUIT")),
    policy("DUNNO", name="two messages", says=("EHLO x", *MESSAGE[:2], "RSET", *MESSAGE, "QUIT")),
    policy("DUNNO", name="HELO", says=("HELO x", "MAIL FROM:<>", 'RCPT TO:<"a b"@test.invalid>', "QUIT"), address=client(11)),
    policy("DUNNO", name="no greeting", says=("MAIL FROM:<>", "RCPT TO:<bob@test.invalid>", "QUIT")),
    policy("DUNNO", name="VRFY", says=("EHLO x", "VRFY bob", "QUIT")),
    *lists("check_policy_service"),
]

# Parameters that go with restrictions.
ALL_PERMITS = "smtpd_log_access_permit_actions = static:all"
FROM, TO = MESSAGE[:2]
SETTINGS = [
    Case("soft_bounce", [RCPT + "reject", "soft_bounce = yes"]),
    Case("soft_bounce and syntax", ["soft_bounce = yes"], says=("EHLO x", "FOO", "MAIL", "RCPT", "MAIL FROM:<>", "RCPT TO:<a@other.test>", "DATA", "QUIT")),
    Case("soft_bounce and 521", [RCPT + "check_client_access static:{521 x}", "soft_bounce = yes"]),
    *(Case(f"logged {where} {restriction}", [f"smtpd_{where}_restrictions = {restriction}", ALL_PERMITS, "smtpd_restriction_classes = foo", "foo = permit"], helo="127.0.0.1")
      for where, restriction in (
          ("recipient", "permit"), ("client", "permit"), ("helo", "permit"), ("sender", "permit"), ("client", "foo"), ("recipient", "permit_dnswl_client rbl.test"),
          ("sender", "permit_naked_ip_address"), ("helo", "permit_auth_destination"), ("client", "permit_mx_backup"), ("recipient", "check_client_access static:OK"),
          ("client", "check_helo_access static:200"), ("helo", "check_sender_access static:ok"), ("recipient", "check_client_access static:permit"),
          ("recipient", "check_client_access static:permit_auth_destination"), ("recipient", "check_client_access static:DUNNO"))),
    Case("logged by name", [RCPT + "check_client_access static:OK", "smtpd_log_access_permit_actions = permit_mynetworks,  ok"]),
    Case("logged, not by another name", [RCPT + "permit_auth_destination", "smtpd_log_access_permit_actions = permit_mynetworks"]),
    Case("logged for mynetworks", [ALL_PERMITS, "mynetworks = 127.0.0.9", "smtpd_client_restrictions = permit_mynetworks"]),
    Case("logged at each step", [ALL_PERMITS, "smtpd_delay_reject = no", *(f"smtpd_{step}_restrictions = permit" for step in (
        "client", "helo", "sender", "data", "end_of_data"))], says=("EHLO x", *MESSAGE, "QUIT")),
    policy("OK", ALL_PERMITS, name="permits"), policy("REJECT no way ", name="a blank behind"),
    Case("smtpd_client_port_logging", ["smtpd_client_port_logging = yes"], says=("EHLO x", *MESSAGE[:2], "RCPT TO:<a@b.test>", *MESSAGE[3:], "MAIL FROM:<a@b..c>", "QUIT")),
    Case("smtpd_expansion_filter", [RCPT + "reject_rbl_client rbl.test", "default_rbl_reply = $rbl_code $helo_name $sender",
                                    "smtpd_expansion_filter = \\65\\064abcdefghijklmnopqrstuvwxyz@."], helo="a-b_c.TEST"),
    Case("the empty sender's key", [RCPT + "check_sender_access inline:{{<>=REJECT null}}"], sender=""),
    Case("smtpd_null_access_lookup_key", [RCPT + "check_sender_access inline:{{nobody=REJECT null}}", "smtpd_null_access_lookup_key = nobody"], sender=""),
    Case("smtpd_peername_lookup", [RCPT + "reject_unknown_client_hostname", "smtpd_peername_lookup = no"], client=client(10)),
    *(Case(f"relaying first, {first}", [f"smtpd_relay_before_recipient_restrictions = {first}", RCPT + "reject"], recipient="a@other.test") for first in ("yes", "no")),
    *(Case(f"{parameter} = 577", [RCPT + restriction, f"{parameter} = 577"]) for parameter, restriction in (
        ("access_map_reject_code", "check_sender_access static:REJECT"), ("access_map_defer_code", "check_sender_access static:DEFER"), ("defer_code", "defer"),
        ("reject_code", "reject"), ("plaintext_reject_code", "reject_plaintext_session"))),
    Case("relay_domains_reject_code", ["relay_domains_reject_code = 577"], recipient="a@b.test"),
    *(Case(f"table {table}", [RCPT + f"check_{what}_access {table}", "recipient_delimiter = +"], recipient="bob+x@test.invalid") for what, table in (
        ("client", "pcre:{{/^127\\.0\\.0\\.9$$/ REJECT p}}"), ("sender", "pcre:{{/^(.*)@sender.test$$/ REJECT hi $$1}}"), ("recipient", "regexp:{{/bob/ DEFER x}}"),
        ("client", "cidr:{{127.0.0.0/29 DUNNO} {127.0.0.8/29 REJECT c}}"), ("client", "cidr:{{!127.0.0.0/24 REJECT c}}"), ("sender", "cidr:{{127.0.0.0/24 REJECT c}}"),
        ("recipient", "pcre:{{/^bob@/ REJECT base}}"), ("recipient", "inline:{{bob@test.invalid=REJECT base}}"))),
    Case("a class is case-blind", ["smtpd_restriction_classes = Foo", "Foo = reject", RCPT + "foo"]),
    Case("deferred at DATA", ["smtpd_data_restrictions = defer_if_permit"], says=("HELO x", FROM, TO, "DATA", "QUIT")),
    Case("held at the end", ["smtpd_end_of_data_restrictions = check_client_access static:HOLD"], says=("HELO x", *MESSAGE, "QUIT")),
]

TWICE = ("EHLO x", "<another>", "EHLO y", "QUIT", "NOOP", "QUIT")


def limit(what: str, *settings: str, says: Sequence[str] = TWICE, number: int = 9) -> Case:
    return Case(f"limit {what}", [f"smtpd_client_{setting}" for setting in settings], says=says, client=client(number))


LIMITS = [
    limit("one at a time", "connection_count_limit = 1"),
    limit("two at a time", "connection_count_limit = 2", says=(
        "EHLO x", "<another>", "EHLO y", "<another>", "HELO z", "QUIT", "QUIT", "<another>", "NOOP", "QUIT", "QUIT")),
    limit("connections", "connection_rate_limit = 1"),
    limit("connections of a name", "connection_rate_limit = 1", "event_limit_exceptions =", number=10),
    limit("messages", "message_rate_limit = 1", says=("EHLO x", FROM, "RSET", FROM, "RSET", FROM, TO, "QUIT")),
    limit("messages with a bad sender", "message_rate_limit = 1", says=("EHLO x", "MAIL FROM:<a@b..c>", FROM, "QUIT")),
    limit("recipients", "recipient_rate_limit = 2", says=("EHLO x", FROM, TO, TO, TO, TO, "RSET", FROM, TO, "QUIT")),
    limit("bad recipients", "recipient_rate_limit = 1", says=("EHLO x", TO, FROM, "RCPT TO:<a@b..c>", TO, TO, "QUIT")),
    limit("VRFY", "recipient_rate_limit = 1", says=("EHLO x", "VRFY bob", "VRFY bob", "QUIT")),
    limit("excepted", "connection_rate_limit = 1", "event_limit_exceptions = 127.0.0.9"),
    limit("excepted by name", "connection_rate_limit = 1", "event_limit_exceptions = .client.test", number=10),
    limit("not excepted by a parent", "connection_rate_limit = 1", "event_limit_exceptions = client.test", number=10),
    Case("limit not for mynetworks", ["smtpd_client_connection_rate_limit = 1", "mynetworks = 127.0.0.9"], says=TWICE),
    limit("none", "connection_count_limit = 0"),
    Case("limit for the refused", ["smtpd_client_connection_count_limit = 1", "smtpd_delay_reject = no", "smtpd_client_restrictions = reject"], says=TWICE),
]


def footer(name: str, text: str, *settings: str, says: Sequence[str] = ("EHLO x.test", "FOO", "RCPT TO:<a@b.test>", "ETRN", "QUIT"), free: str = "") -> Case:
    return Case(f"footer {name}", [f"smtpd_reject_footer = {text}", *settings], says=says, free=free)


FOOTERS = [
    footer("on a line of its own", "For help, see $server_name"),
    footer("behind the text", r"\c. Client ($client_address) $$5 ${client_address?yes} ${client_address:no} $nosuch"),
    footer("the port", r"\c ($client_port)", free=r"\(\d+\)"),
    footer("the time", "($localtime)", free=r"\(\w+ \d\d \d\d:\d\d:\d\d\)"),
    footer("lines", r"first\nsecond\cx\\y\tz"),
    footer("lines behind the text", r"\cfirst\n\nsecond\n"),
    footer("nothing behind the text", r"\c"),
    footer("filtered", "text $server_name;&", "smtpd_expansion_filter = mx"),
    footer("too long", "x" * 3000),
    footer("soft", "x $server_name", "soft_bounce = yes"),
    footer("too many errors", "bye", "smtpd_hard_error_limit = 2", says=("EHLO x.test", "FOO", "FOO", "FOO")),
    footer("at connect", "x", "smtpd_delay_reject = no", "smtpd_client_restrictions = reject"),
    footer("at the end", r"foo\nbar", "smtpd_end_of_data_restrictions = reject",
           says=("EHLO x.test", "MAIL FROM:<a@sender.test>", "RCPT TO:<bob@test.invalid>", "DATA", ".", "QUIT")),
    footer("by reply", "other", "smtpd_reject_footer_maps = pcre:{{/^500 5.5.2 (.*)/ $1 $$$$server_name}}"),
    footer("by a reply that cannot be looked up", "other", "smtpd_reject_footer_maps = fail:x"),
]

ROUTED = [
    Case(f"allow_untrusted_routing {allowed} to {who}", [RELAY + "permit_auth_destination, reject", f"allow_untrusted_routing = {allowed}"], recipient=who)
    for allowed in ("no", "yes") for who in ("a%other.test@relay.test", '"a@b.test"@relay.test', "a!b@relay.test", "a%relay.test@test.invalid", "a%b.test@test.invalid")
]

BEGUN = ["smtpd_delay_open_until_valid_rcpt = no"]
EARLY = [
    Case("begun at MAIL", BEGUN, says=(*MESSAGE, "QUIT")),
    Case("begun at MAIL, refused at RCPT", [*BEGUN, RELAY + "reject_unauth_destination"], says=("EHLO x.test", FROM, "RCPT TO:<x@else.test>", *MESSAGE[1:], "QUIT")),
    Case("begun at MAIL, no recipients", BEGUN, says=("EHLO x.test", FROM, "DATA", "RSET", FROM, "QUIT")),
    Case("refused at MAIL", [*BEGUN, "smtpd_delay_reject = no", "smtpd_sender_restrictions = reject"], says=("EHLO x.test", FROM, "QUIT")),
]


def verp(parameters: str, *settings: str, sender: str = "a@sender.test", hello: str = "EHLO x.test") -> Case:
    return Case(f"MAIL FROM:<{sender}> {parameters} with {', '.join(settings)}", [f"smtpd_authorized_verp_clients = {client(9)}", *settings],
                says=(hello, f"MAIL FROM:<{sender}> {parameters}", *MESSAGE[1:], "QUIT"))


VERP = [
    *(verp(word) for word in ("XVERP", "XVERP=+=", "xverp=-=", "XVERP=ab", "XVERP=+", "XVERP=+=-", "XVERP=", "SIZE=10 XVERP=+= BODY=8BITMIME", "XVERPX")),
    verp("XVERP", sender=""), verp("XVERP", hello="HELO x.test"), verp("XVERP", "default_verp_delimiters = -="), verp("XVERP", "smtpd_discard_ehlo_keywords = verp"),
    verp("XVERP=ab", "default_verp_delimiters = ab", "verp_delimiter_filter = ab"), verp("XVERP", "smtpd_authorized_verp_clients = 127.0.0.8"),
]

SAID_IN_ORDER = [
    Case("a warning behind a mere warning", [RCPT + "warn_if_reject reject_unknown_helo_hostname, reject_rbl_client down.test, warn_if_reject reject"], helo="missing.test"),
    Case("a warning between two", [RCPT + "check_sender_access static:{WARN a}, reject_rbl_client down.test, check_sender_access static:{INFO b}, reject"]),
]


def filtered(restrictions: str, pattern: str = "{/./ IGNORE}", sender: str = SENDER) -> Case:
    return Case(f"{restrictions} from {sender} through {pattern}", [f"smtpd_dns_reply_filter = pcre:{{{pattern}}}", RCPT + restrictions], sender=sender)


FILTERED = [
    *map(filtered, ("reject_rbl_client rbl.test, reject", "reject_unknown_sender_domain", "reject_unknown_helo_hostname", "check_sender_mx_access static:DEFER, reject",
                    "permit_dnswl_client rbl.test, reject")),
    filtered("reject_rbl_client rbl.test=127.0.0.10, reject", "{/127.0.0.10$$/ ignore}"), filtered("reject_rbl_client rbl.test", "{/ TXT / ignore}"),
    filtered("reject_unknown_sender_domain", "{/ A / ignore}", "a@aonly.test"), filtered("reject_unknown_sender_domain", "{/./ OK}"),
    filtered("check_sender_ns_access static:DEFER, reject", sender="a@deep.test"), filtered("reject_unknown_sender_domain, reject", sender="a@servfail.test"),
    Case("a filter that cannot be asked", ["smtpd_dns_reply_filter = fail:x", RCPT + "reject_unknown_sender_domain"]),
]

ALL = [*FILTERED, *FOOTERS, *ROUTED, *EARLY, *VERP, *SAID_IN_ORDER, *DOMAINS, *GREETINGS, *CLIENTS, *LISTS, *SERVERS, *BACKUPS, *ORDER, *POLICY, *SETTINGS, *LIMITS]

# Settings at which Debian's dies, again and again; ours says 451 and logs why.
BAD = {
    **{f"reject_rbl_client rbl.test={pattern}": why for pattern, why in (
        ("127.0.0", 'RBL reply error: need "." at "127.0.0><"'), ("", "RBL reply error: empty address pattern"))},
    "check_policy_service bogus": 'need service transport:endpoint instead of "bogus"',
    f"check_policy_service {{ {SERVER}, bogus=1 }}": f'policy server {{ {SERVER}, bogus=1 }}: unknown option: "bogus"',
    f"check_policy_service {{ {SERVER}, timeout=x }}": f"policy server {{ {SERVER}, timeout=x }}: bad value of option timeout",
}
