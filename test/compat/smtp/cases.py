"""What can happen between us and the servers of a destination."""

from __future__ import annotations

from collections.abc import Sequence

from .peer import CLOSE, EHLO, HANG, Script
from .run import Case

TWO = ("@ MX 10 a.@", "@ MX 20 b.@", "a.@ A $1", "b.@ A $2")
PLAIN = "250-peer.invalid\n250 8BITMIME"
THREE = ("one", "two", "three")


def says(**steps: object) -> Script:
    return Script(steps)  # type: ignore[arg-type]


def pair(**steps: object) -> dict[int, Script]:
    """The better server does STEPS, the other one takes everything."""
    return {1: says(**steps), 2: Script()}


DNS = [
    Case("one mx"),
    Case("the lower preference first", ("@ MX 20 a.@", "@ MX 10 b.@", "a.@ A $1", "b.@ A $2"), {1: Script(), 2: Script()}),
    Case("the first of two is down", TWO, {1: Script(listens=False), 2: Script()}),
    Case("both are down", TWO, {}),
    Case("one is down", peers={}),
    Case("no mx, but an address", ("@ A $1",)),
    Case("null mx", ("@ MX 0 .", "@ A $1"), {1: Script()}),
    Case("no such domain", ("x@ A $1",), {}),
    Case("neither mx nor address", ("@ TXT nothing",), {}),
    Case("the mx has no address", ("@ MX 10 a.@", "a.@ TXT nothing"), {}),
    Case("the mx does not exist", ("@ MX 10 zzz.@",), {}),
    Case("one mx exists, the other not", ("@ MX 10 zzz.@", "@ MX 20 a.@", "a.@ A $1")),
    Case("myself as the only mx", ("@ MX 10 a.@", "a.@ A 127.0.0.1"), {}),
    Case("myself by name", ("@ MX 10 mx.test.invalid",), {}),
    Case("myself and a better one", ("@ MX 10 a.@", "@ MX 20 b.@", "a.@ A $1", "b.@ A 127.0.0.1")),
    Case("myself and a better one that is down", ("@ MX 10 a.@", "@ MX 20 b.@", "@ MX 30 c.@", "a.@ A $1", "b.@ A 127.0.0.1", "c.@ A $2"), {}),
    Case("myself and an equal one", ("@ MX 10 a.@", "@ MX 10 b.@", "a.@ A $1", "b.@ A 127.0.0.1"), {}),
    Case("an alias", ("@ CNAME real.@", "real.@ MX 10 a.@", "a.@ A $1")),
    Case("an mx that is an alias", ("@ MX 10 b.@", "b.@ CNAME a.@", "a.@ A $1")),
    Case("an mx that is an address", ("@ MX 10 $1",), {}),
    Case("a literal", nexthop="[$1]"),
    Case("a literal that is down", nexthop="[$1]:2600", peers={}),
    Case("a host", ("a.@ A $1",), nexthop="[a.@]"),
    Case("a host that does not exist", nexthop="[zzz.@]", peers={}),
    Case("a host without address", ("a.@ TXT x",), nexthop="[a.@]", peers={}),
    Case("another port", nexthop="@:2525", port=2525),
    Case("ipv6 literal", nexthop="[fd00::7777]:2525", port=2525, peers={}),
    Case("ipv6", ("@ MX 10 a.@", "a.@ AAAA $6"), {6: Script()}, nexthop="@:2525", port=2525),
    Case("ipv6 and ipv4 in that order", ("@ MX 10 b.@", "@ MX 20 a.@", "b.@ AAAA fd00::7778", "a.@ A $1"), {1: Script()}, nexthop="@:2525", port=2525),
    Case("two nexthops", ("a.@ A $1", "b.@ A $2"), {2: Script()}, nexthop="[a.@], [b.@]"),
]

REPLIES = [
    Case("greeting 4xx", peers={1: says(GREETING="421 4.3.2 not now")}),
    Case("greeting 5xx", peers={1: says(GREETING="554 5.7.1 go away")}),
    Case("greeting 4xx without code", peers={1: says(GREETING="450-busy\n450 come back")}),
    Case("greeting 4xx, another takes it", TWO, pair(GREETING="421 4.3.2 not now")),
    Case("greeting 5xx, another takes it", TWO, pair(GREETING="554 5.7.1 go away")),
    Case("greeting 3xx", peers={1: says(GREETING="354 what")}),
    Case("greeting is no reply", peers={1: says(GREETING="hello\n220 peer ESMTP")}),
    Case("closed at the greeting", peers={1: says(GREETING=CLOSE)}),
    Case("closed at the greeting, another takes it", TWO, pair(GREETING=CLOSE)),
    Case("hangs at the greeting", peers={1: says(GREETING=HANG)}),
    Case("hangs at the greeting, another takes it", TWO, pair(GREETING=HANG)),
    Case("greeting of many lines", peers={1: says(GREETING="220-peer\n220-ESMTP\n220 welcome")}),
    Case("greeting without esmtp", peers={1: says(GREETING="220 peer.invalid")}),
    Case("ehlo refused", peers={1: says(EHLO="502 5.5.2 what")}),
    Case("ehlo and helo refused", peers={1: says(EHLO="502 5.5.2 what", HELO="501 5.5.4 no")}),
    Case("ehlo 4xx", peers={1: says(EHLO="450 4.7.1 later")}),
    Case("ehlo 421", peers={1: says(EHLO="421 4.7.1 later")}),
    Case("ehlo and helo 4xx, another takes it", TWO, pair(EHLO="450 4.7.1 later", HELO="450 4.7.1 later")),
    Case("closed at ehlo", peers={1: says(EHLO=CLOSE)}),
    Case("closed at helo", peers={1: says(EHLO="500 no", HELO=CLOSE)}),
    Case("hangs at ehlo", peers={1: says(EHLO=HANG)}),
    Case("mail 4xx", peers={1: says(MAIL="451 4.3.0 later")}),
    Case("mail 4xx, another takes it", TWO, pair(MAIL="451 4.3.0 later")),
    Case("mail 5xx", peers={1: says(MAIL="553 5.1.8 sender")}, recipients=THREE),
    Case("mail 5xx, another would take it", TWO, pair(MAIL="553 5.1.8 sender")),
    Case("mail 5xx, step by step", peers={1: says(EHLO=PLAIN, MAIL="553 5.1.8 sender")}),
    Case("mail 4xx without enhanced code", peers={1: says(MAIL="451 later")}),
    Case("mail 421 and closed", peers={1: says(MAIL="421 4.3.2 closing!close")}),
    Case("mail 421 and closed, another takes it", TWO, pair(MAIL="421 4.3.2 closing!close")),
    Case("closed at mail", peers={1: says(MAIL=CLOSE)}),
    Case("closed at mail, step by step", peers={1: says(EHLO=PLAIN, MAIL=CLOSE)}),
    Case("hangs at mail", peers={1: says(MAIL=HANG)}),
    Case("rcpt 5xx", peers={1: says(RCPT="550 5.1.1 nobody")}),
    Case("rcpt 5xx, step by step", peers={1: says(EHLO=PLAIN, RCPT="550 5.1.1 nobody")}),
    Case("rcpt 5xx of many lines", peers={1: says(RCPT="550-5.1.1 nobody\n550-5.1.1 of that\n550 5.1.1 name")}),
    Case("rcpt 5xx with another code's text", peers={1: says(RCPT="550 4.1.1 nobody")}),
    Case("rcpt without enhanced code", peers={1: says(RCPT="550 nobody")}),
    Case("rcpt 4xx", peers={1: says(RCPT="450 4.2.1 grey")}),
    Case("rcpt 4xx, another takes it", TWO, pair(RCPT="450 4.2.1 grey")),
    Case("rcpt 4xx at both", TWO, {1: says(RCPT="450 4.2.1 grey"), 2: says(RCPT="451 4.2.2 green")}),
    Case("rcpt 4xx, the other is down", TWO, {1: says(RCPT="450 4.2.1 grey"), 2: Script(listens=False)}),
    Case("rcpt 5xx, another would take it", TWO, pair(RCPT="550 5.1.1 nobody")),
    Case("rcpt some, some not", peers={1: says(RCPT=["250 2.1.5 ok", "550 5.1.1 nobody", "450 4.2.1 grey"])}, recipients=THREE),
    Case("rcpt some, some not, step by step", peers={1: says(EHLO=PLAIN, RCPT=["250 2.1.5 ok", "550 5.1.1 nobody", "450 4.2.1 grey"])}, recipients=THREE),
    Case("rcpt some, the rest elsewhere", TWO, pair(RCPT=["250 2.1.5 ok", "450 4.2.1 grey", "452 4.5.3 too many"]), recipients=THREE),
    Case("rcpt none of three, but data 354", peers={1: says(RCPT=["550 5.1.1 a", "550 5.1.1 b", "450 4.2.1 c"])}, recipients=THREE),
    Case("rcpt none and data refused", peers={1: says(RCPT="550 5.1.1 a", DATA="503 5.5.1 no")}, recipients=THREE),
    Case("rcpt 552 counts as later", peers={1: says(RCPT="552 5.2.2 too many")}),
    Case("rcpt 421 and closed", peers={1: says(RCPT="421 4.3.2 closing!close")}, recipients=THREE),
    Case("closed at rcpt", peers={1: says(RCPT=CLOSE)}),
    Case("closed at the second rcpt", peers={1: says(EHLO=PLAIN, RCPT=["250 ok", CLOSE])}, recipients=THREE),
    Case("hangs at rcpt", peers={1: says(RCPT=HANG)}),
    Case("rcpt 999", peers={1: says(RCPT="999 what")}),
    Case("rcpt 2xx 252", peers={1: says(RCPT="252 2.1.5 maybe")}),
    Case("rcpt garbage, then a reply", peers={1: says(RCPT="garbage\n550 5.1.1 nobody")}),
    Case("data 4xx", peers={1: says(DATA="451 4.3.0 later")}, recipients=THREE),
    Case("data 4xx, another takes it", TWO, pair(DATA="451 4.3.0 later")),
    Case("data 5xx", peers={1: says(DATA="554 5.5.1 no")}, recipients=THREE),
    Case("data 2xx", peers={1: says(DATA="250 2.0.0 what")}),
    Case("closed at data", peers={1: says(DATA=CLOSE)}),
    Case("hangs at data", peers={1: says(DATA=HANG)}),
    Case("dot 4xx", peers={1: says(DOT="451 4.3.0 later")}, recipients=THREE),
    Case("dot 4xx, another takes it", TWO, pair(DOT="451 4.3.0 later")),
    Case("dot 5xx", peers={1: says(DOT="554 5.7.1 spam")}, recipients=THREE),
    Case("dot 5xx of many lines", peers={1: says(DOT="554-5.7.1 spam\n554 5.7.1 really")}),
    Case("dot 250 of many lines", peers={1: says(DOT="250-2.0.0 kept\n250 2.6.0 well")}),
    Case("dot 250 without code", peers={1: says(DOT="250 kept")}),
    Case("dot 354", peers={1: says(DOT="354 more")}),
    Case("closed at the dot", peers={1: says(DOT=CLOSE)}),
    Case("closed at the dot, another would take it", TWO, pair(DOT=CLOSE)),
    Case("hangs at the dot", peers={1: says(DOT=HANG)}),
    Case("quit refused", peers={1: says(QUIT="500 no!close")}),
    Case("quit unanswered", peers={1: says(QUIT=CLOSE)}),
    Case("bare lf replies", peers={1: says(RCPT="550 5.1.1 a\nb")}),
    Case("a very long reply", peers={1: says(RCPT="550 5.1.1 " + "x" * 3000)}),
    Case("a reply with control and 8-bit characters", peers={1: says(RCPT="550 5.1.1 a\tb\x01c\xe9d")}),
    Case("an empty reply text", peers={1: says(RCPT="550")}),
    Case("an empty reply text, dsn only", peers={1: says(RCPT="550 5.1.1")}),
]

CONTENT = [
    Case("dots", text="Subject: dots\n\n.\n..\n.x\n...\nend\n"),
    Case("a dot in the header", text=".x: y\nSubject: z\n\nbody\n"),
    Case("no newline at the end", text="Subject: x\n\nbody"),
    Case("empty body", text="Subject: x\n\n"),
    Case("8-bit and 8bitmime", text="Subject: x\nMime-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nbödy\n", options=("-B", "8BITMIME")),
    Case("8-bit without -B", text="Subject: x\n\nbödy\n"),
    Case("7bit with -B", text="Subject: x\n\nbody\n", options=("-B", "7BIT")),
    Case("lines of 998, 999 and 3000", text="Subject: x\n\n" + "a" * 997 + "\n" + "b" * 998 + "\n" + "c" * 999 + "\n" + "d" * 3000 + "\n"),
    Case("lines of 1995 and 1996", text="Subject: x\n\n" + "a" * 1995 + "\n" + "b" * 1996 + "\nend\n"),
    Case("a long line that begins with a dot", text="Subject: x\n\n." + "a" * 1200 + "\n"),
    Case("a dot after the fold", text="Subject: x\n\n" + "a" * 998 + ".b\n"),
    Case("a very long line", text="Subject: x\n\n" + "a" * 20000 + "\n"),
    Case("a null sender", sender=""),
    Case("a quoted sender", sender='"a b"@mx.test.invalid'),
    Case("a plain helo and 8-bit", peers={1: says(EHLO="502 no")}, text="Subject: x\n\nbödy\n", options=("-B", "8BITMIME")),
    Case("size refused in advance", peers={1: says(EHLO="250-peer\n250 SIZE 1000")}, text="Subject: x\n\n" + "0123456789\n" * 200),
    Case("size zero", peers={1: says(EHLO="250-peer\n250 SIZE 0")}),
    Case("size without number", peers={1: says(EHLO="250-peer\n250 SIZE")}),
    Case("size refused in advance, another takes it", TWO, pair(EHLO="250-peer\n250 SIZE 1000"), text="Subject: x\n\n" + "0123456789\n" * 200),
    Case("features in odd case", peers={1: says(EHLO="250-peer\n250-pipelining\n250-size 99999\n250 8bitmime")}),
    Case("features in HELO greeting", peers={1: says(EHLO="250 peer")}),
    Case("many recipients", recipients=tuple(f"u{n}" for n in range(40))),
    Case("many recipients, step by step", peers={1: says(EHLO=PLAIN)}, recipients=tuple(f"u{n}" for n in range(40))),
    Case("dsn offered", peers={1: says(EHLO=EHLO.replace("250 8BITMIME", "250-8BITMIME\n250 DSN"))}, options=("-N", "success,failure", "-V", "env", "-R", "hdrs")),
    Case("cr in a line", text="Subject: x\n\na\rb\nc\r\r\nend\n"),
    Case("nul in a line", text="Subject: x\n\na\0b\nend\n"),
]

A = ("@ MX 10 a.@", "a.@ A $1")
THOUSAND = tuple(f"@ MX {n} a{n}.@" for n in range(1, 1001))
EIGHT = tuple(f"@ MX {n} a{n}.@" for n in range(1, 9)) + tuple(f"a{n}.@ A $1" for n in range(1, 9))

ODD_DNS = [
    *(Case(f"mx {how}", (*A, f"@ MX !{how}"), {}) for how in ("servfail", "refused", "formerr", "notimp", "silent", "cut-both", "wrong-id", "wrong-question", "lame")),
    Case("mx cut", (*A, "@ MX !cut")),
    *(Case(f"address {how}", (*A, f"a.@ !{how}"), {}) for how in ("servfail", "silent", "lame", "formerr")),
    Case("A servfail", (*A, "a.@ A !servfail"), {}),
    Case("AAAA servfail", (*A, "a.@ AAAA !servfail")),
    Case("AAAA silent", (*A, "a.@ AAAA !silent")),
    Case("first servfail, second ok", (*TWO, "a.@ !servfail"), {1: Script(), 2: Script()}),
    Case("second servfail, first ok", (*TWO, "b.@ !servfail"), {1: Script(), 2: Script()}),
    Case("one servfail, then one that does not exist", ("@ MX 10 a.@", "@ MX 20 zzz.@", "a.@ A $1", "a.@ !servfail"), {}),
    Case("one that does not exist, then one servfail", ("@ MX 20 a.@", "@ MX 10 zzz.@", "a.@ A $1", "a.@ !servfail"), {}),
    Case("one that does not exist, then one without address", ("@ MX 20 a.@", "@ MX 10 zzz.@", "a.@ TXT x"), {}),
    Case("the same mx twice", ("@ MX 20 a.@", "@ MX 10 a.@", "a.@ A $1"), {}),
    Case("a thousand mx, the first two are down", (*THOUSAND, "a1.@ A $1", "a2.@ A $2"), {}),
    Case("a thousand mx, only a late one exists", (*THOUSAND, "a777.@ A $1")),
    Case("more addresses than smtp_mx_address_limit", EIGHT, {}),
    Case("more sessions than smtp_mx_session_limit", EIGHT, {1: says(GREETING="421 no")}),
    Case("an mx that is an alias of nothing", ("@ MX 10 b.@", "b.@ CNAME zzz.@"), {}),
    Case("an alias of nothing", ("@ CNAME zzz.@",), {}),
    Case("an alias of itself", ("@ CNAME x.@", "x.@ CNAME @"), {}),
    Case("an mx that is an alias of itself", ("@ MX 10 x.@", "x.@ CNAME y.@", "y.@ CNAME x.@"), {}),
    Case("null mx and another", ("@ MX 0 .", "@ MX 10 a.@", "a.@ A $1")),
    Case("null mx of preference 10", ("@ MX 10 .", "@ A $1")),
    Case("null mx between others", ("@ MX 0 a.@", "@ MX 10 .", "@ MX 20 b.@", "a.@ A $1")),
    Case("an mx with an underscore", ("@ MX 10 a_b.@", "a_b.@ A $1")),
    Case("an mx with a hyphen in front", ("@ MX 10 -a.@", "-a.@ A $1"), {}),
    Case("an mx with a hyphen in front, and another", ("@ MX 10 -a.@", "@ MX 20 a.@", "-a.@ A $2", "a.@ A $1")),
    Case("an mx with a hyphen behind", ("@ MX 10 x.a-.@", "x.a-.@ A $1"), {}),
    Case("an mx with a star", ("@ MX 10 *.@", "*.@ A $1")),
    Case("an mx that is a number, and another", ("@ MX 10 1.2", "@ MX 20 a.@", "a.@ A $1")),
    Case("an mx that is my address", ("@ MX 10 127.0.0.1", "@ MX 20 a.@", "a.@ A $1"), {}),
    Case("an mx with a long label", ("@ MX 10 " + "x" * 63 + ".@", "x" * 63 + ".@ A $1")),
    Case("a host servfail", ("a.@ A $1", "a.@ !servfail"), {}, nexthop="[a.@]"),
    Case("a host silent", ("a.@ A $1", "a.@ !silent"), {}, nexthop="[a.@]"),
    Case("a host formerr", ("a.@ A $1", "a.@ !formerr"), {}, nexthop="[a.@]"),
    Case("a host that is an alias", ("a.@ CNAME b.@", "b.@ A $1"), nexthop="[a.@]"),
    Case("two nexthops, the first does not exist", ("b.@ A $2",), {2: Script()}, nexthop="zzz.@, [b.@]"),
    Case("two nexthops, the first servfail", ("@ !servfail", "b.@ A $2"), {2: Script()}, nexthop="@, [b.@]"),
    Case("two nexthops, neither exists", ("b.@ A $2",), {}, nexthop="zzz.@, [zz.@]"),
    Case("two nexthops, both down", ("a.@ A $1", "b.@ A $2"), {}, nexthop="[a.@], [b.@]"),
    Case("a port by name", nexthop="[$1]:smtp"),
    Case("myself at another port", ("@ MX 10 a.@", "a.@ A 127.0.0.1"), {}, nexthop="@:2525"),
    Case("myself in brackets at another port", ("a.@ A 127.0.0.1",), {}, nexthop="[a.@]:26"),
]

N4, N5 = "450 4.1.1 not yet", "550 5.1.1 no"
GONE = "421 4.3.2 closing!close"

ODD_REPLIES = [
    *(Case(f"rset {name}", peers={1: says(EHLO=PLAIN, MAIL=N5, RSET=reply)}) for name, reply in (("closed", CLOSE), ("hangs", HANG), ("refused", "500 no"), ("421", GONE))),
    Case("rset closed after data", peers={1: says(DATA=N5, RSET=CLOSE)}),
    Case("mail 4xx, the rest 503", peers={1: says(MAIL=N4, RCPT="503 no mail", DATA="503 no mail")}),
    Case("mail 4xx, the rest 503, another takes it", TWO, pair(MAIL=N4, RCPT="503 no mail", DATA="503 no mail")),
    *(Case(f"{step} 421 and closed, another takes it (2)", TWO, pair(**{step: GONE})) for step in ("GREETING", "EHLO", "DATA", "DOT")),
    *(Case(f"{step} 421 but open, another takes it", TWO, pair(**{step: "421 4.3.2 closing"})) for step in ("MAIL", "RCPT", "DATA")),
    Case("helo 421 and closed, another takes it", TWO, pair(EHLO="500 no", HELO=GONE)),
    Case("data 421 and closed", peers={1: says(DATA=GONE)}),
    Case("dot 421 and closed", peers={1: says(DOT=GONE)}),
    Case("rcpt 421, step by step", TWO, pair(EHLO=PLAIN, RCPT="421 4.3.2 closing"), recipients=THREE),
    Case("one rcpt taken, then 421, step by step", TWO, pair(EHLO=PLAIN, RCPT=["250 ok", GONE]), recipients=THREE),
    Case("one rcpt taken, then 421", TWO, pair(RCPT=["250 ok", GONE]), recipients=THREE),
    *(Case(f"hangs at {step}, another takes it", TWO, pair(**{step: HANG})) for step in ("EHLO", "RCPT", "DATA", "DOT")),
    Case("hangs at mail, step by step, another takes it", TWO, pair(EHLO=PLAIN, MAIL=HANG)),
    Case("hangs at quit", peers={1: says(QUIT=HANG)}),
    Case("closed at the second rcpt, another takes it", TWO, pair(EHLO=PLAIN, RCPT=["250 ok", CLOSE]), recipients=THREE),
    Case("closed at data, another takes it", TWO, pair(DATA=CLOSE)),
    Case("closed at data, step by step, another takes it", TWO, pair(EHLO=PLAIN, DATA=CLOSE)),
    Case("hangs at one, closed at the other", TWO, {1: says(EHLO=HANG), 2: says(EHLO=CLOSE)}),
    Case("ehlo and helo 5xx, another would take it", TWO, pair(EHLO=N5, HELO=N5)),
    Case("half a greeting", peers={1: says(GREETING="22")}),
    Case("a very long greeting", peers={1: says(GREETING="220 " + "x" * 5000)}),
    Case("ehlo of 200 lines", peers={1: says(EHLO="250-a\n" * 200 + "250 x")}),
    Case("ehlo of 200 long lines", peers={1: says(EHLO=("250-a" + "b" * 1000 + "\n") * 200 + "250 x")}),
    Case("greeted with my name", peers={1: says(GREETING="220 mx.test.invalid ESMTP")}),
    Case("greeted with my name at another port", nexthop="@:2525", port=2525, peers={1: says(GREETING="220 mx.test.invalid ESMTP")}),
    Case("ehlo with my name", peers={1: says(EHLO="250-mx.test.invalid\n250 SIZE")}),
    Case("ehlo with my name, another would take it", TWO, pair(EHLO="250-mx.test.invalid\n250 SIZE")),
    Case("ehlo with my name, from a host", nexthop="[a.@]", peers={1: says(EHLO="250-MX.test.invalid hello\n250 SIZE")}),
    Case("helo with my name", peers={1: says(EHLO="500 no", HELO="250 mx.test.invalid")}),
    *(Case(f"size {size}", peers={1: says(EHLO=f"250-p\n250 SIZE {size}")}) for size in ("99999999999999999999", "-1", "abc")),
    *(Case(f"size {size} and 8bitmime", peers={1: says(EHLO=f"250-p\n250-8BITMIME\n250 SIZE {size}")}) for size in ("", "0", "9999", "-1")),
    Case("two lines of garbage", peers={1: says(RCPT=f"garbage\nmore garbage\n{N5}")}),
    Case("two lines of garbage, step by step", peers={1: says(EHLO=PLAIN, RCPT=f"garbage\nmore garbage\n{N5}")}),
    Case("garbage twice", peers={1: says(MAIL="garbage\n250 ok", RCPT=f"garbage\n{N5}")}),
    Case("garbage in a reply", peers={1: says(RCPT="550-5.1.1 nobody\nhuh\n550 5.1.1 x")}),
    Case("a very long line of garbage", peers={1: says(RCPT="x" * 5000 + "\n550 x")}),
    Case("a reply of many long lines", peers={1: says(RCPT="".join(f"550-5.1.1 {c * 1000}\n" for c in "xyz") + "550 5.1.1 end")}),
    Case("a reply of very long lines", peers={1: says(RCPT="".join(f"550-5.1.1 {c * 3000}\n" for c in "xyz") + "550 5.1.1 end")}),
    *(Case(f"a reply of {n} bytes", peers={1: says(RCPT="550 " + "x" * (n - 4))}) for n in (2047, 2048, 2049, 20000)),
    Case("dot, a very long reply", peers={1: says(DOT="250 2.0.0 " + "x" * 2500)}),
    Case("other codes in the last line", peers={1: says(RCPT="450-4.1.2 a\n550 5.1.1 b")}),
    Case("an enhanced code in the first line alone", peers={1: says(RCPT="550-5.1.2 a\n550 b")}),
    Case("nul in a reply", peers={1: says(RCPT="550 5.1.1 a\0b")}),
    Case("nul in a reply's code", peers={1: says(RCPT="5\x0050 5.1.2 a\n550 b")}),
    Case("a blank before a reply", peers={1: says(RCPT=" 550 5.1.2 a\n550 5.1.1 b")}),
    Case("a tab after the code", peers={1: says(RCPT="550\t5.1.2 a\n550 5.1.1 b")}),
    Case("a fourth digit", peers={1: says(RCPT="5505 5.1.2 a\n550 5.1.1 b")}),
    Case("cr in a reply", peers={1: says(RCPT="550 5.1.2 a\rb\r")}),
    Case("many blanks in a reply", peers={1: says(RCPT="550    5.1.2    a   b   ")}),
    *(Case(f"{step} {code}", peers={1: says(**{step: f"{code} what"})}) for step, code in (("RCPT", 600), ("MAIL", 199), ("RCPT", 0), ("RCPT", 354), ("MAIL", 354), ("DOT", 251))),
    Case("dot 550 with a code of another class", peers={1: says(DOT="550 4.2.2 x")}),
]

EIGHT_BIT = ("-B", "8BITMIME")
NO_EIGHT = {1: says(EHLO="250-peer\n250-PIPELINING\n250 SIZE")}
MIME = "Subject: x\nMime-Version: 1.0\n"
PARTS = """Content-Type: multipart/mixed; boundary="bb"
Content-Transfer-Encoding: 8bit

preamble ö
--bb
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-After: 1

böd=y \t
--bb
Content-Type: text/plain

plain ö without encoding
--bb
Content-Transfer-Encoding: 7bit

7bit only = x
--bb
Content-Transfer-Encoding: binary
Content-Type: application/octet-stream

bin ö
--bb
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Subject: inner
Content-Transfer-Encoding: 8bit
Content-Type: text/html

inner böd
--bb
Content-Type: text/plain
Content-Transfer-Encoding: quoted-printable

q=C3=B6 ö raw
--bb
not a header ö

more ö
--bb
Content-Type: multipart/alternative;
 boundary=cc
Content-Transfer-Encoding: 8bit

--cc
Content-Transfer-Encoding: 8bit

ö=
--cc--
between ö
--bb--
epilogue ö
"""
LABEL = "Content-Transfer-Encoding: 8bit\n\n"
DIGEST = """Content-Type: multipart/digest; boundary=bb
content-transfer-encoding: 8BIT (comment)

--bb

Subject: one
Content-Transfer-Encoding: 8bit

ö
--bb
Content-Type: text/plain
Content-Transfer-Encoding: 8bit

ö text
--bb--
"""
LONG_CODED = "ab=ö " * 500 + "\n" + "".join("x" * n + "\n" for n in (72, 73, 74, 75, 76, 77)) + "ö" * 25 + "\n" + "z" * 72 + "ö\nend \n\tx\t\nnot ended "

CONVERTED = [
    Case(f"to 7 bits: {name}", peers=peers, text=MIME + text, options=options)
    for name, text, peers, options in (
        ("text", f"Content-Type: text/plain; charset=utf-8\n{LABEL}bödy =x trailing \n" + "ö" * 60 + "\n.dot ö\nFrom x\n\n", NO_EIGHT, EIGHT_BIT),
        ("text, not announced", f"{LABEL}bödy\n", NO_EIGHT, ()),
        ("helo", f"{LABEL}bödy\n", {1: says(EHLO="502 no")}, EIGHT_BIT),
        ("no encoding given", "\nbödy\n", NO_EIGHT, EIGHT_BIT),
        ("announced as 7 bits", f"{LABEL}bödy\n", NO_EIGHT, ("-B", "7BIT")),
        ("the label alone", f"{LABEL}abc = d\n", NO_EIGHT, ()),
        ("a label twice", f"Content-Transfer-Encoding: 8bit\n{LABEL}ö\n", NO_EIGHT, EIGHT_BIT),
        ("a folded label", "Content-Transfer-Encoding:\n 8bit\n\n" + "ö\n" * 3, NO_EIGHT, ()),
        ("long lines", LABEL + LONG_CODED, NO_EIGHT, EIGHT_BIT),
        ("odd characters", LABEL + "a\rbö\r\nx\0y\x7fz\x01\n~}|`{!\"#$%&'()*+,-./:;<=>?@[]^_\n", NO_EIGHT, EIGHT_BIT),
        ("long headers", "X-Long: " + "y" * 1200 + "\nX-Fold: " + "a b " * 500 + f"\n c\n{LABEL}ö\n", NO_EIGHT, ()),
        ("no body", LABEL, NO_EIGHT, EIGHT_BIT),
        ("header only", LABEL[:-1], NO_EIGHT, EIGHT_BIT),
        ("many parts", PARTS, NO_EIGHT, EIGHT_BIT),
        ("many parts, no label on top", PARTS.replace("Content-Transfer-Encoding: 8bit\n", "", 1), NO_EIGHT, ()),
        ("many parts, 7bit on top", PARTS.replace("8bit", "7bit", 1), NO_EIGHT, ()),
        ("many parts, quoted-printable on top", PARTS.replace("8bit", "quoted-printable", 1), NO_EIGHT, ()),
        ("a digest", DIGEST, NO_EIGHT, EIGHT_BIT),
        ("a message", f"Content-Type: message/rfc822\n{LABEL}Subject: y\n\nö\n", NO_EIGHT, EIGHT_BIT),
        ("a message with parts", f"Content-Type: message/rfc822\n{LABEL}Subject: y\n{PARTS}", NO_EIGHT, EIGHT_BIT),
        ("a signed one", f"Content-Type: multipart/signed; boundary=z\n{LABEL}öa\n--z\n\nö\n--z--\n", NO_EIGHT, EIGHT_BIT),
        ("not with 8bitmime", LABEL + "ö" * 1000 + "\n", {1: Script()}, EIGHT_BIT),
    )
]

UTF8 = {1: says(EHLO="250-p\n250-SIZE 999999\n250-8BITMIME\n250-DSN\n250 SMTPUTF8")}
WITH_DSN = {1: says(EHLO="250-p\n250 DSN")}

PARAMETERS = [
    Case("all parameters of mail", peers=UTF8, recipients=("bö",), options=("-B", "8BITMIME", "-V", "en+v=", "-R", "full", "-N", "success,delay")),
    Case("smtputf8 not needed", peers=UTF8),
    Case("smtputf8 in a header", peers=UTF8, text="Subject: hö\n\nb\n"),
    Case("smtputf8 in a header, not offered, another would take it", TWO, {1: says(EHLO=PLAIN), **{2: UTF8[1]}}, text="Subject: hö\n\nb\n"),
    Case("smtputf8 in a part's header, not offered", text=MIME + PARTS.replace("inner\n", "innör\n", 1)),
    Case("smtputf8 sender", peers=UTF8, sender="jö@mx.test.invalid"),
    Case("smtputf8 recipient, not offered", recipients=("bö", "bob")),
    Case("smtputf8 recipient, without 8bitmime", peers={1: says(EHLO="250-p\n250 SMTPUTF8")}, recipients=("bö", "bob")),
    Case("smtputf8 recipient, helo", peers={1: says(EHLO="500 no")}, recipients=("bö", "bob")),
    Case("dsn, nothing asked for", peers=WITH_DSN),
    Case("dsn never, full", peers=WITH_DSN, options=("-N", "never", "-R", "full")),
    Case("dsn delay, success, failure", peers=WITH_DSN, options=("-N", "delay,success,failure")),
    Case("dsn failure of a null sender", peers=WITH_DSN, options=("-N", "failure"), sender=""),
    Case("dsn, odd addresses", peers=WITH_DSN, options=("-N", "failure"), recipients=("a+b=c", '"q w"')),
    Case("dsn, but helo", peers={1: says(EHLO="500 no")}, options=("-N", "success,failure")),
    Case("dsn not offered", options=("-N", "success,failure", "-V", "env", "-R", "hdrs")),
    Case("dsn, the first one refuses, the second does not offer it", TWO, pair(EHLO=EHLO.replace("250 8BITMIME", "250-8BITMIME\n250 DSN"), RCPT=N4), options=("-N", "success")),
]

def lmtp(name: str, *, recipients: Sequence[str] = THREE, unix: bool = False, options: Sequence[str] = (), text: str = "Subject: x\n\nbody\n", **steps: object) -> Case:
    """To a server on port 24 or on a UNIX socket."""
    where = ("unix:$U", 0) if unix else ("inet:[$1]:24", 24)
    return Case(f"lmtp: {name}", agent="lmtp", nexthop=where[0], port=where[1], recipients=recipients, peers={1: says(**steps)}, options=options, text=text)


EACH = "250 2.1.0 one kept\n550 5.2.2 two full\n450 4.2.1 three later"

LMTP = [
    lmtp("each has its own end", DOT=EACH),
    lmtp("each has its own end, on a socket", unix=True, DOT=EACH),
    lmtp("each has its own end, step by step", LHLO=PLAIN, DOT=EACH),
    lmtp("closed after the first end", DOT="250 2.0.0 ok!close"),
    lmtp("hangs after the first end", DOT="250 2.0.0 ok!hang"),
    lmtp("one refused", RCPT=["250 ok", N5, "250 ok"], DOT="250 2.0.0 ok\n250 2.0.0 ok too"),
    lmtp("all refused", RCPT=N5, DATA="503 5.5.1 nobody"),
    lmtp("all refused, but 354", RCPT=N5),
    lmtp("data refused", DATA=N4),
    lmtp("mail refused, on a socket", unix=True, MAIL=N5),
    *(lmtp(f"lhlo {reply}", recipients=("bob",), LHLO=reply) for reply in (N4, N5, CLOSE, HANG)),
    lmtp("lhlo closed, on a socket", unix=True, recipients=("bob",), LHLO=CLOSE),
    lmtp("greeting 4xx", recipients=("bob",), GREETING="421 4.3.2 no"),
    lmtp("greeting 5xx, on a socket", unix=True, recipients=("bob",), GREETING="554 5.3.2 no"),
    lmtp("dsn", recipients=("bob",), LHLO=EHLO.replace("250 8BITMIME", "250-8BITMIME\n250 DSN"), options=("-N", "success")),
    lmtp("no dsn", recipients=("bob",), options=("-N", "success")),
    lmtp("a very long reply", unix=True, recipients=("bob",), RCPT="550 " + "x" * 5000),
    lmtp("garbage", unix=True, recipients=("bob",), RCPT="huh\n550 no"),
    lmtp("hangs at quit", recipients=("bob",), QUIT=HANG),
    lmtp("8 bits, dots, long lines", recipients=("bob",), LHLO="250-peer\n250 SIZE", text=f"Subject: x\n{LABEL}.ö\n" + "x" * 1200 + "\n"),
    Case("lmtp: my own name", agent="lmtp", nexthop="inet:[$1]:25", peers={1: says(GREETING="220 mx.test.invalid x", LHLO="250-mx.test.invalid\n250 SIZE")}),
    Case("lmtp: the usual port", agent="lmtp", nexthop="inet:[$1]", port=24),
    Case("lmtp: without inet:", agent="lmtp", nexthop="[$1]:24", port=24),
    Case("lmtp: a host", agent="lmtp", nexthop="inet:a.@", port=24),
    Case("lmtp: a host that does not exist", agent="lmtp", nexthop="inet:zzz.@", peers={}),
    Case("lmtp: mx do not count", agent="lmtp", nexthop="@", port=24, peers={}),
    Case("lmtp: down", agent="lmtp", nexthop="inet:[$1]:26", peers={}),
    Case("lmtp: no such socket", agent="lmtp", nexthop="unix:/nowhere/@", peers={}),
]

BV = ("-bv",)

PROBES = [
    Case("probe", options=BV),
    Case("probe of three", options=BV, recipients=THREE, peers={1: says(RCPT=["250 2.1.5 ok", N5, N4])}),
    Case("probe of three, step by step", options=BV, recipients=THREE, peers={1: says(EHLO=PLAIN, RCPT=["250 2.1.5 ok", N5, N4])}),
    Case("probe, mail refused", options=BV, peers={1: says(MAIL=N5)}),
    Case("probe, the second one takes it", TWO, pair(RCPT=N4), options=BV),
    Case("probe, rset closed", options=BV, peers={1: says(RSET=CLOSE)}),
    Case("probe, rset refused", options=BV, peers={1: says(RSET="500 no")}),
    Case("probe, closed at rcpt", options=BV, peers={1: says(RCPT=CLOSE)}),
    Case("probe by lmtp", options=BV, agent="lmtp", nexthop="inet:[$1]:24", port=24),
    Case("verbose", options=("-v",)),
]

ALL = [*DNS, *REPLIES, *CONTENT, *ODD_DNS, *ODD_REPLIES, *CONVERTED, *PARAMETERS, *LMTP, *PROBES]


def named(*names: str) -> list[Case]:
    return [case for case in ALL if case.name in names]
