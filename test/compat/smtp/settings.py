"""The same under other settings: main.cf lines, and what is sent with them."""

from __future__ import annotations

from .cases import LABEL, MIME, N4, N5, PARTS, TWO, lmtp, named, pair, says
from .peer import CLOSE, HANG, Script
from .run import Case


SETTINGS = {
    "a fallback relay": (["smtp_fallback_relay = [127.9.9.9]:2500"], [
        *named("one mx", "one is down", "both are down", "null mx", "no such domain", "neither mx nor address", "the mx has no address", "mx servfail",
               "mx formerr", "myself as the only mx", "myself and a better one that is down", "a host that does not exist", "rcpt 4xx", "rcpt 5xx", "dot 4xx",
               "greeting 4xx", "greeting 5xx", "closed at mail", "closed at the dot", "rcpt some, some not", "a literal that is down",
               "two nexthops, both down", "mail 4xx, another takes it", "an mx that is my address", "ehlo with my name",
               "smtputf8 recipient, not offered", "ehlo and helo refused", "more sessions than smtp_mx_session_limit"),
    ]),
    "other settings": (["smtp_skip_5xx_greeting = no", "smtp_skip_quit_response = no", "smtp_quit_timeout = 2", "smtp_defer_if_no_mx_address_found = yes",
                        "smtp_discard_ehlo_keywords = pipelining, DSN", "smtp_line_length_limit = 100", "disable_mime_output_conversion = yes",
                        "smtp_mx_session_limit = 1", "smtp_mx_address_limit = 2", "smtp_host_lookup = dns, native"], [
        *named("one mx", "greeting 5xx", "greeting 5xx, another takes it", "quit refused", "quit unanswered", "hangs at quit", "the mx has no address",
               "the mx does not exist", "dsn delay, success, failure", "rcpt none of three, but data 354", "lines of 998, 999 and 3000", "to 7 bits: text",
               "to 7 bits: not with 8bitmime", "more sessions than smtp_mx_session_limit", "more addresses than smtp_mx_address_limit",
               "a host that does not exist", "no such domain", "mail 4xx, another takes it"),
        Case("an own host by its native name", nexthop="[localhost]:26", peers={}),
    ]),
    **{f"{family} first": ([f"smtp_address_preference = {family}"], [
        Case("both families", ("@ MX 10 a.@", "a.@ A $1", "a.@ AAAA $6"), {}),
        Case("both families, one answers", ("@ MX 10 a.@", "@ MX 10 b.@", "a.@ A $1", "b.@ AAAA $6"), {1: Script()}),
        Case("preferences count more", ("@ MX 10 a.@", "@ MX 20 b.@", "b.@ AAAA $6", "a.@ A $1"), {}),
        Case("preferences count more, the other way", ("@ MX 10 a.@", "@ MX 20 b.@", "a.@ AAAA $6", "b.@ A $1"), {}),
    ]) for family in ("ipv4", "ipv6")},
    "no dns, no ehlo": (["disable_dns_lookups = yes", "smtp_never_send_ehlo = yes", "smtp_line_length_limit = 0"], [
        *named("a literal", "a literal that is down", "a very long line"),
        Case("a literal, another port", nexthop="[$1]:2525", port=2525, text="Subject: x\n\n" + "y" * 3000 + "\n"),
        Case("an own host by its native name", nexthop="[localhost]:26", peers={}),
        Case("an own host by its native name, without brackets", nexthop="localhost:26", peers={}),
        Case("a host that nobody knows", nexthop="[nobody.invalid]:26", peers={}),
    ]),
    "a transport for mail that loops": (["best_mx_transport = lmtp:inet:[127.9.9.9]:2500"], [
        *named("myself as the only mx", "myself by name", "myself and an equal one", "myself and a better one", "myself and a better one that is down",
               "ehlo with my name", "an mx that is my address", "one mx"),
    ]),
    "mx errors ignored": (["ignore_mx_lookup_error = yes"], [
        *named("mx servfail", "mx formerr", "mx refused", "mx notimp", "mx lame", "mx cut-both", "null mx", "an alias of itself", "an mx with a hyphen in front", "two nexthops, the first servfail"),
        Case("an address, but mx servfail", ("@ A $1", "@ MX !servfail")),
        Case("an address, but mx formerr", ("@ A $1", "@ MX !formerr")),
        Case("an address, but mx silent", ("@ A $1", "@ MX !silent")),
        Case("an address, but mx malformed", ("@ A $1", "@ MX 10 -a.@")),
    ]),
    **{f"at most three addresses, balanced: {how}": ([
        "smtp_mx_address_limit = 3", "smtp_mx_session_limit = 0", "smtp_randomize_addresses = no", f"smtp_balance_inet_protocols = {how}"], [
        Case("four of one and two of the other family", ("@ MX 10 a.@", *(f"a.@ A ${n}" for n in (1, 2, 3, 4)), "a.@ AAAA $6", "a.@ AAAA $7"), {}),
        Case("two preferences", ("@ MX 10 a.@", "@ MX 20 b.@", *(f"a.@ AAAA ${n}" for n in (6, 7, 8, 9)), "b.@ A $1"), {}),
        Case("the other family comes last", ("@ MX 10 a.@", *(f"a.@ AAAA ${n}" for n in (6, 7, 8, 9)), "a.@ A $1"), {}),
        Case("one family", ("@ MX 10 a.@", *(f"a.@ A ${n}" for n in (1, 2, 3, 4))), {}),
        Case("a host of both families", (*(f"a.@ A ${n}" for n in (1, 2, 3, 4)), "a.@ AAAA $6"), {}, nexthop="[a.@]"),
    ]) for how in ("yes", "no")},
    "answers of the name server filtered": (["smtp_dns_reply_filter = regexp:{{/^b\\..* MX .* x\\./ ignore} {/MX 10 / IGNORE} {/ AAAA / ignore} {/^z\\..* A / ignore} {/^y.* A / reject}}",
                                             "lmtp_dns_reply_filter = regexp:{{/ A / ignore}}"], [
        *named("one mx", "the first of two is down", "lmtp: a host"),
        Case("all mx are ignored", ("@ MX 10 a.@", "@ A $1", "a.@ A $1"), {}),
        Case("an address is ignored", ("@ MX 20 a.@", "@ MX 30 z.@", "a.@ A $1", "a.@ AAAA $6", "z.@ A $2"), {}),
        Case("all addresses are ignored", ("@ MX 20 z.@", "z.@ A $2"), {}),
        Case("all addresses of a host are ignored", ("z.@ A $2",), {}, nexthop="[z.@]"),
        Case("an unknown action", ("y.@ A $2",), {}, nexthop="[y.@]"),
        Case("an alias and its target", ("x.@ CNAME z.@", "z.@ A $2"), {}, nexthop="[x.@]"),
    ]),
    **{f"names by alias: {how}": ([f"smtp_cname_overrides_servername = {how}"], [
        *named("an alias", "an mx that is an alias", "a host that is an alias"),
        Case("a host that is an alias refuses", ("a.@ CNAME b.@", "b.@ A $1"), {1: says(RCPT=N5)}, nexthop="[a.@]"),
    ]) for how in ("yes", "no")},
    "ports by name": (["known_tcp_ports = mine=ours=2525, smtp=2526", "smtp_tcp_port = ours"], [
        Case("a port of the list", nexthop="[$1]:mine", port=2525),
        Case("the usual port of the list", port=2525),
        Case("a name that the list has otherwise", nexthop="[$1]:smtp", port=2526),
    ]),
    "another port": (["smtp_tcp_port = 2525", "lmtp_tcp_port = 2424", "lmtp_fallback_relay = [127.9.9.9]:2500"], [
        Case("mx at that port", port=2525),
        Case("a literal at that port", nexthop="[$1]", port=2525),
        Case("myself at that port", ("@ MX 10 a.@", "a.@ A 127.0.0.1"), {}),
        Case("lmtp at its own port", agent="lmtp", nexthop="inet:[$1]", port=2424),
        Case("lmtp at its own port, down", agent="lmtp", nexthop="inet:[$1]", peers={}),
        Case("lmtp refused", agent="lmtp", nexthop="inet:[$1]", port=2424, peers={1: says(RCPT=N5)}),
        Case("lmtp not now", agent="lmtp", nexthop="inet:[$1]", port=2424, peers={1: says(RCPT=N4)}),
        Case("lmtp, no such host", agent="lmtp", nexthop="inet:zzz.@", peers={}),
        Case("lmtp, no such socket here", agent="lmtp", nexthop="unix:/nowhere/@", peers={}),
    ]),
    "an address that is not ours": (["smtp_bind_address = 192.0.2.1", "lmtp_bind_address = 127.0.0.8", "smtp_bind_address6 = fd00:1::1"], [
        *named("one mx", "lmtp: the usual port"),
        Case("over ipv6", ("@ MX 10 a.@", "a.@ AAAA $6"), {6: Script()}, nexthop="@:2525", port=2525),
    ]),
    "an address that is not ours, insisted on": (["smtp_bind_address = 192.0.2.1", "smtp_bind_address_enforce = yes"], named("one mx", "the first of two is down")),
    "ehlo where esmtp is said": (["smtp_always_send_ehlo = no"], [
        *named("one mx", "greeting without esmtp", "greeting of many lines", "ehlo refused", "greeted with my name"),
        *(Case(f"greeting {text}", peers={1: says(GREETING=text)}) for text in ("220 peer esmtp", "220 peer, ESMTP, x", "220 ESMTP", "220 peer xESMTP", "220-peer\n220 ESMTP")),
    ]),
    "extensions left alone": (["smtp_discard_ehlo_keyword_address_maps = inline:{127.1.1.1=pipelining, {127.1.2.1=size silent-discard}, {127.1.3.1=8bitmime nonsense}, 127.1.4.1=nothing}, fail:x",
                               "smtp_discard_ehlo_keywords = dsn, size"], [
        *(Case(f"number {n}", peers={1: says(EHLO="250-p\n250-PIPELINING\n250-SIZE 999999\n250-DSN\n250-STARTTLS\n250 8BITMIME")}, options=("-N", "success", "-B", "8BITMIME"), text="Subject: x\n\nb\xf6\n") for n in range(6)),
    ]),
    "extensions left alone in silence": (["smtp_discard_ehlo_keywords = dsn, size, silent-discard, auth, chunking", "lmtp_discard_lhlo_keywords = verp, xforward, chunking, vrfy, etrn, enhancedstatuscodes, xclient, nonsense, size, starttls, auth, help, pipelining, dsn, 8bitmime, bdat, expn, burl, limits"], [
        *named("all parameters of mail", "dsn never, full", "lmtp: without inet:"),
    ]),
    "replies filtered": (["smtp_reply_filter = regexp:{{/^garbage/ 250-filler} {/^550 5.1.1/ 450 4.1.1 soft} {/^220-/ 220-changed} {/^250 2.0.0 Ok: kept/ 250 2.0.0 counted} {/^354/ 354 changed}}",
                          "lmtp_reply_filter = regexp:{{/^450/ 550 5.9.9 hard}}"], [
        *named("one mx", "rcpt garbage, then a reply", "two lines of garbage", "rcpt 5xx", "rcpt 5xx of many lines", "greeting of many lines", "rcpt none of three, but data 354",
               "lmtp: each has its own end", "a very long line of garbage"),
    ]),
    "replies filtered, not now": (["smtp_reply_filter = fail:x"], named("one mx", "mail 4xx, another takes it")),
    "addresses not quoted": (["smtp_quote_rfc821_envelope = no", "lmtp_quote_rfc821_envelope = no"], named("a quoted sender", "dsn, odd addresses", "lmtp: without inet:")),
    "what a probe asks": (["smtp_address_verify_target = data"], named("probe", "probe of three", "probe of three, step by step", "probe, mail refused", "probe, closed at rcpt", "probe, the second one takes it")),
    "xforward": (["smtp_send_xforward_command = yes", "lmtp_send_xforward_command = yes", "smtp_xforward_timeout = 2"], [
        *named("one mx", "lmtp: without inet:"),
        *(Case(f"xforward {name}", by_smtp=True, free=r"PORT=\d+", peers={1: says(EHLO=f"250-p\n250-{how}\n250 XFORWARD {offer}", XFORWARD=answer)}) for how in ("PIPELINING", "SIZE") for name, offer, answer in (
            ("all", "NAME ADDR PROTO HELO SOURCE PORT IDENT", "250 ok"), ("some", "NAME ADDR", "250 ok"), ("refused", "NAME PROTO HELO", "501 no"), ("later", "NAME PROTO HELO", "450 no"),
            ("closed", "NAME HELO", CLOSE), ("hangs", "NAME HELO", HANG), ("closing", "NAME HELO", "421 bye!close"), ("nothing", "", "250 ok"), ("unknown", "WHAT IDENT", "250 ok"))),
        Case("xforward of local mail", peers={1: says(EHLO="250-p\n250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT", XFORWARD="250 ok")}),
        Case("xforward to two", TWO, pair(EHLO="250-p\n250 XFORWARD NAME ADDR", XFORWARD="250 ok", RCPT=N4), by_smtp=True),
    ]),
    "pix": (["smtp_pix_workaround_threshold_time = 0s", "smtp_pix_workaround_delay_time = 1s"], [
        *named("one mx"),
        *(Case(f"pix greeting {text}", peers={1: says(GREETING=text)}) for text in ("220 ****************", "220 **2******0*200**", "220 *** peer ESMTP", "220 *", "220 peer ****", "220 2020", "220-***\n220 **")),
    ]),
    "pix, by address": (["smtp_pix_workaround_threshold_time = 0s", "smtp_pix_workaround_delay_time = 1s", "smtp_pix_workarounds = ", "smtp_pix_workaround_maps = inline:{127.1.1.1=delay_dotcrlf, 127.1.2.1=disable_esmtp, 127.1.3.1=nonsense}"], [
        *(Case(f"pix number {n}", peers={1: says(GREETING="220 **********")}) for n in range(4)),
    ]),
    "pix, delayed alone": (["smtp_pix_workarounds = delay_dotcrlf", "lmtp_pix_workaround_threshold_time = 0s", "lmtp_pix_workaround_delay_time = 1s"], [
        Case("pix greeting", peers={1: says(GREETING="220 **********")}), lmtp("pix", GREETING="220 ***")]),
    "pix, not known": (["smtp_pix_workaround_maps = fail:x"], [Case("pix greeting", peers={1: says(GREETING="220 **********")}), *named("one mx")]),
    "pix, not at once": ([], [Case("pix greeting of new mail", peers={1: says(GREETING="220 **********")})]),
    "no name server": (["smtp_dns_support_level = disabled"], [
        *named("a literal", "one mx"),
        Case("an own host without name server", nexthop="[localhost]:26", peers={}),
    ]),
    **{f"a search list: {options or 'not used'}": ([f"smtp_dns_resolver_options = {options}"], [
        *named("a host"),
        *(Case(f"{name} of another domain", (), {}, nexthop=name) for name in ("[short]:2500", "[a.longer]:2500", "short:2500", "[none]", "[none.none]")),
    ]) for options in ("", "res_defnames", "res_dnsrch", "res_defnames, res_dnsrch")},
    "native, then dns": (["smtp_host_lookup = native, dns"], [*named("one mx", "a host", "the mx has no address", "a host that does not exist", "a host servfail"), Case("an own host", nexthop="[localhost]:26", peers={})]),
    "what became of it, filtered": (["default_delivery_status_filter = regexp:{{/^4\\.1\\.1 (.*)/ 5.1.9 hard: $$1} {/^2(.*) kept/ 2.9.9 taken} {/^5\\.7\\.1/ 2.0.0 lie} {/^4\\.2\\.1/ nonsense} {/^5\\.1\\.8/ 5.1.8} {/^4\\.4\\.2/ 5.0.0 lost} {/^4\\.4\\.1 connect/ 5.4.1 no way} {/^4\\.2\\.2/ 5.2.2 $$(x}}",
                                     "lmtp_delivery_status_filter = regexp:{{/^2(.*) kept/ 2.9.9 taken}}"], [
        *named("one mx", "mail 5xx", "dot 5xx", "rcpt 4xx", "rcpt 4xx at both", "closed at mail", "one is down", "rcpt some, some not", "lmtp: each has its own end",
               "rcpt 4xx, another takes it", "probe of three", "greeting 4xx", "mail 4xx", "dot 250 of many lines", "no such domain"),
        Case("code 4.1.1", peers={1: says(RCPT=N4)}, recipients=("one", "two")),
    ]),
    "what became of it, filter fails": (["smtp_delivery_status_filter = fail:x", "lmtp_delivery_status_filter = inline:{x=y}"], named("one mx", "rcpt 5xx", "lmtp: each has its own end", "one is down")),
    "generic": (["smtp_generic_maps = inline:{alice@mx.test.invalid=a.li@outside.test, @c2.test=@elsewhere.test, {bob@c3.test=\"b b\"@x.test}, bob=nobody@y.test}",
                 "recipient_delimiter = +", "propagate_unmatched_extensions = generic", "lmtp_generic_maps = inline:{alice@mx.test.invalid=lmtp@outside.test}"], [
        Case("sender", text="From: alice@mx.test.invalid\nTo: bob@c1.test, \"A L\" <alice+ext@mx.test.invalid> (note)\nCc: x <carol@c2.test>\nSubject: alice@mx.test.invalid\nReply-To: alice@mx.test.invalid\nX-Other: alice@mx.test.invalid\n\nalice@mx.test.invalid\n"),
        Case("recipient by domain", recipients=("bob", "carol")),
        Case("recipient by address", recipients=("bob", "bob+x"), peers={1: says(EHLO="250-p\n250 DSN")}, options=("-N", "success")),
        Case("sender with extension", sender="alice+y@mx.test.invalid", text="From: alice+y@mx.test.invalid\nMime-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nFrom: alice@mx.test.invalid\n\nb\n--b--\n"),
        Case("null sender", sender=""),
        Case("lmtp generic", agent="lmtp", nexthop="inet:[$1]:24", port=24, text="From: alice@mx.test.invalid\n\nb\n"),
        Case("resent and folded", text="Resent-From: alice@mx.test.invalid\nResent-To: bob@c3.test,\n bob@c3.test\nSender: alice@mx.test.invalid\nDisposition-Notification-To: <alice@mx.test.invalid>\nFrom: alice@mx.test.invalid, alice@mx.test.invalid, alice@mx.test.invalid\nErrors-To: alice@mx.test.invalid\nReturn-Receipt-To: alice@mx.test.invalid\nMail-Followup-To: alice@mx.test.invalid\n\nb\n"),
        Case("refused", peers={1: says(RCPT=N5, MAIL=N5)}),
    ]),
    "lines checked": (["smtp_header_checks = regexp:{{/^Subject: drop/ IGNORE} {/^Subject: (.*)/ REPLACE Subject: new $$1} {/^X-Warn/ WARN careful} {/^X-Info/ INFO noted} {/^X-Pre/ PREPEND X-Before: yes} {/^X-Strip/ STRIP gone} {/^X-Bad/ REPLACE nonsense} {/^X-Reject/ REJECT no} {/^X-Dunno/ DUNNO} {/^X-Unknown/ WHAT} {/^X-None/ REPLACE} {/^X-Hold/ HOLD} {/^X-Long/ INFO} {/^X-Filter/ FILTER a:b} {/^X-Ok/ OK}}",
                       "smtp_mime_header_checks = regexp:{{/^Content-Type: text.html/ REPLACE Content-Type: text/plain} {/^X-After/ INFO part}}",
                       "smtp_nested_header_checks = regexp:{{/^Subject: inner/ REPLACE Subject: nested}}",
                       "smtp_body_checks = regexp:{{/^drop/ IGNORE} {/^change (.*)/ REPLACE changed $$1} {/^before/ PREPEND added} {/^warn/ WARN} {/^empty/ REPLACE} {/^dots/ REPLACE .dot} {/^inner/ INFO inner body}}"], [
        Case("headers", text="Subject: hello\nX-Warn: 1\nX-Info: 2\n folded\nX-Pre: 3\nX-Strip: 4\nX-Bad: 5\nX-Reject: 6\nX-Dunno: 7\nX-Unknown: 8\nX-None: 9\nX-Hold: 10\nX-Filter: 11\nX-Ok: 12\nX-Long: " + "y" * 300 + "\n\nbody\n"),
        Case("a header dropped", text="Subject: drop me\n folded\nX: y\n\nbody\n"),
        Case("body", text="Subject: x\n\ndrop\nchange this\nbefore\nwarn\nempty\ndots\nend\n"),
        Case("parts", text=MIME + PARTS.replace("ö", "o").replace("\n\npreamble", "\n\npreamble\nSubject: not a header")),
        Case("to seven bits and checked", text=f"Subject: x\nMime-Version: 1.0\nContent-Type: text/html\n{LABEL}b\xf6\nchange \xf6\ndrop\n", peers={1: says(EHLO="250 p")}, options=("-B", "8BITMIME")),
        Case("no body", text="Subject: x\n"),
        Case("long lines checked", text="Subject: x\n\ndrop" + "y" * 3000 + "\nchange " + "z" * 3000 + "\n"),
    ]),
    "lines checked, not now": (["smtp_header_checks = fail:x", "lmtp_mime_header_checks = fail:x"], named("one mx", "rcpt 5xx", "lmtp: without inet:", "dot 4xx, another takes it")),
    "addresses in the log": (["info_log_address_format = internal", "syslog_facility = local3"], named("a quoted sender", "dsn, odd addresses")),
}
