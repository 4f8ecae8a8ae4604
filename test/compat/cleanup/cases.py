"""The submissions: each is sent to Debian's cleanup and to ours, and both must do the same."""

from __future__ import annotations

from collections.abc import Sequence

from .desk import ARRIVAL, AUTOUTF8, BCC, BOUNCE, DISCARD, FILTER, FROM_SMTPD, HOLD, MAP, SMTP_REPLY, SMTPUTF8, Case, Record, record

RECEIVED = "Received: from client.example (client.example [192.0.2.1])"
ETC = "/etc/postfix"
MOST = FROM_SMTPD | BOUNCE

SETTINGS: dict[str, Sequence[str]] = {
    "plain": [],
    "hops": ["hopcount_limit = 3"],
    "small": ["message_size_limit = 3000"],
    "checks": [f"header_checks = regexp:{ETC}/header", f"body_checks = regexp:{ETC}/body"],
    "three checks": [f"header_checks = regexp:{ETC}/which", f"mime_header_checks = regexp:{ETC}/mime", f"nested_header_checks = regexp:{ETC}/nested",
                     f"body_checks = regexp:{ETC}/seen", "body_checks_size_limit = 40"],
    "strict headers": ["strict_7bit_headers = yes"],
    "strict body": ["strict_8bitmime_body = yes"],
    "strict both": ["strict_8bitmime = yes"],
    "strict domain": ["strict_mime_encoding_domain = yes"],
    "shallow": ["mime_nesting_limit = 2"],
    "no mime": ["disable_mime_input_processing = yes", f"header_checks = regexp:{ETC}/which", f"mime_header_checks = regexp:{ETC}/mime", f"nested_header_checks = regexp:{ETC}/nested",
                f"body_checks = regexp:{ETC}/seen"],
    "limited body": [f"body_checks = regexp:{ETC}/seen", "body_checks_size_limit = 40"],
    "hops and checks": [f"header_checks = regexp:{ETC}/header", "hopcount_limit = 3"],
    "strict and checks": [f"header_checks = regexp:{ETC}/header", f"body_checks = regexp:{ETC}/body", "strict_8bitmime = yes"],
    "no body": [f"body_checks = regexp:{ETC}/seen", "body_checks_size_limit = 0"],
    "failing canonical": ["canonical_maps = fail:x"],
    "failing sender canonical": ["sender_canonical_maps = fail:x"],
    "failing alias": ["virtual_alias_maps = fail:x"],
    "masquerade upper": ["masquerade_domains = FOO.Example"],
    "failing mime": ["mime_header_checks = fail:x"],
    "failing nested": ["nested_header_checks = fail:x"],
    "failing body": ["body_checks = fail:x"],
    "always bcc": ["always_bcc = always@a.example", f"header_checks = regexp:{ETC}/header"],
    "odd always bcc": ["always_bcc = always"],
    "bcc maps": ["sender_bcc_maps = inline:{ alice@a.example=s1, @s.example=s2@s.example, loop=loop, {two@a.example = one@a.example, two@b.example}, {three@a.example = Some One <one@a.example>} }",
                 "recipient_bcc_maps = inline:{ bob=r1, {bob@mx.test.invalid = r2@r.example}, @d.example=r3@r.example, r3@r.example=again@r.example, plus@p.example=r4@r.example }", "recipient_delimiter = +",
                 "virtual_alias_maps = inline:{ r1@mx.test.invalid=v1@v.example, {list@l.example = bob, carol} }"],
    "failing bcc": ["recipient_bcc_maps = fail:x"],
    "failing sender bcc": ["sender_bcc_maps = fail:x"],
    "masquerade": ["masquerade_domains = !keep.foo.example foo.example, bar.foo.example", "masquerade_exceptions = root, postmaster"],
    "masquerade all": ["masquerade_domains = foo.example", "masquerade_classes = envelope_sender, envelope_recipient, header_sender, header_recipient"],
    "masquerade none": ["masquerade_domains = foo.example", "masquerade_classes ="],
    "failing": ["header_checks = fail:x", "body_checks = fail:x"],
    "short": ["header_size_limit = 200", "line_length_limit = 600"],
}

# Each action, and what it says of itself.
ACTIONS = ("REJECT", "REJECT no thanks", "REJECT 5.7.9 no thanks", "REJECT 4.7.1 later", "DISCARD", "DISCARD gone", "HOLD", "HOLD look", "WARN", "WARN beware",
           "INFO", "INFO note", "IGNORE", "IGNORE x", "STRIP", "STRIP cut", "DUNNO", "DUNNO x", "OK", "OK x", "PASS", "PASS through", "PREPEND", "PREPEND X-Before: y", "PREPEND no header",
           "PREPEND To: before", "REPLACE", "REPLACE X-New: y", "REPLACE no header", "REPLACE To: new", "REDIRECT", "REDIRECT dave@d.example", "REDIRECT dave", "REDIRECT a b", "FILTER", "FILTER smtp:[h.example]", "FILTER smtp:",
           "FILTER smtp", "BCC", "BCC eve@e.example", "BCC eve", "BCC a b", "bcc eve@e.example", "reject small", "DELAY 1h", "UNKNOWN x", "eve@e.example", "4.7.1 x", "450 x", "")
_RULES = "".join(f"/^X-A{n}:/ {action}\n" if action else "" for n, action in enumerate(ACTIONS))
FILES: dict[str, str] = {
    "header": _RULES + "/^Subject: see/ WARN subject\n/^(To|From|Cc): see/ WARN address\n/^X-Fold: a.b/ WARN folded\n/^X-Long: (x*)/ WARN $1\n/^X-Two : a/ WARN with its blank\n"
              "/^X-Two: a/ WARN without a blank\n/^Received: z/ REPLACE Received: y\n/^Message-Id: z/ REPLACE Message-Id: <y>\n/^Bcc: z/ WARN bcc\n/^Date: z/ IGNORE\n",
    "body": _RULES + "/^see (y*)/ WARN body $1\n/^--b/ WARN boundary\n",
    "which": "/^.*see/ WARN header_checks\n",
    "mime": "/^.*see/ WARN mime_header_checks\n",
    "nested": "/^.*see/ WARN nested_header_checks\n",
    "seen": "/see/ WARN body_checks\n",
}


def content(*lines: str) -> list[Record]:
    return [record(f"N {line}") for line in lines]


def mail(*lines: str, to: Sequence[str] = ("bob",), sender: str = "alice@a.example", envelope: Sequence[str] = (),
         extracted: Sequence[str] = (), received: bool = True) -> list[Record]:
    """A submission; LINES are the content."""
    return [*map(record, [f"T {ARRIVAL} 5", *envelope, f"S {sender}", *(f"R {one}" for one in to), "M "]),
            *(content(RECEIVED) if received else []), *content(*lines), record("X "), *map(record, extracted), record("E ")]


def parts(*lines: str, boundary: str = "b", kind: str = "multipart/mixed", before: Sequence[str] = (), envelope: Sequence[str] = ()) -> list[Record]:
    return mail("MIME-Version: 1.0", f'Content-Type: {kind}; boundary="{boundary}"', *before, *COMPLETE, "preamble", *lines, envelope=envelope)


COMPLETE = ("From: x@a.example", "To: y@b.example", "Message-Id: <1@a.example>", "Date: Fri, 3 Nov 2023 08:26:40 +0000", "", "body")

_ENVELOPE = [
    Case("plain", mail("Subject: x", "", "body")),
    Case("complete", mail(*COMPLETE)),
    Case("remote", mail("Subject: x", "", "body", envelope=["A rewrite_context=remote"])),
    Case("no flags", mail("Subject: x", "", "body"), 0),
    Case("hold", mail(*COMPLETE), FROM_SMTPD | HOLD),
    Case("discard", mail(*COMPLETE), FROM_SMTPD | DISCARD),
    Case("held on the way", mail(*COMPLETE, envelope=["f 4"])),
    Case("discarded on the way", mail(*COMPLETE, envelope=["f 8"])),
    Case("bad flags on the way", mail(*COMPLETE, envelope=["f 16", "f x"])),
    Case("null sender", mail("Subject: x", "", "body", sender="")),
    Case("empty recipient", mail(*COMPLETE, to=[""])),
    Case("two recipients", mail(*COMPLETE, to=["bob", "carol@c.example"])),
    Case("a recipient twice", mail(*COMPLETE, to=["bob", "BOB", "bob@mx.test.invalid"])),
    Case("no recipient", mail(*COMPLETE, to=[])),
    Case("extracted recipients", mail(*COMPLETE, to=[], extracted=["A notify_flags=2", "R bob", "R carol"])),
    Case("mixed", mail(*COMPLETE, envelope=["R early@a.example"])),
    Case("full name", mail("Subject: x", "", "body", envelope=["F Alice of A."])),
    Case("envelope attributes", mail(*COMPLETE, envelope=["A envelope_id=e1", "A ret_flags=1", "A trace_flags=1024", "A encoding=8bit", "A any=thing"])),
    Case("bad trace flags", mail(*COMPLETE, envelope=["A trace_flags=abc"])),
    Case("bad return flags", mail(*COMPLETE, envelope=["A ret_flags=7"])),
    Case("no name", mail(*COMPLETE, envelope=["A =x"])),
    Case("no value", mail(*COMPLETE, envelope=["A any="])),
    Case("no equals", mail(*COMPLETE, envelope=["A any"])),
    Case("bad context", mail(*COMPLETE, envelope=["A rewrite_context=other"])),
    Case("notify", mail(*COMPLETE, to=[], envelope=["S alice@a.example", "A notify_flags=6", "A dsn_orig_rcpt=rfc822;o@o.example", "O orig", "R bob"])[:-1]),
    Case("unknown record", mail(*COMPLETE, envelope=["Q x"])),
    Case("pointer", mail(*COMPLETE, envelope=["p               0"])),
    Case("two senders", mail(*COMPLETE, envelope=["S a@a.example"])),
    Case("no sender", [one for one in mail(*COMPLETE) if one[0] != "S"]),
    Case("no time", [one for one in mail(*COMPLETE) if one[0] != "T"]),
    Case("two times", mail(*COMPLETE, envelope=["T 1699111111 3"])),
    Case("left early", mail(*COMPLETE)[:-1]),
    Case("left at once", []),
    Case("no received", mail(*COMPLETE, received=False)),
    Case("many received", mail("Received: a", "Received: b", *COMPLETE), settings="hops"),
    Case("received last", mail("Received: a", "Received: b", "", "body"), settings="hops"),
    Case("received last, returned", mail("Received: a", "Received: b", "", "body"), MOST, settings="hops"),
    Case("many received, returned", mail("Received: a", "Received: b", *COMPLETE), MOST, settings="hops"),
    Case("too big", mail(*COMPLETE, "x" * 1500, "y" * 1500), settings="small", differs="theirs finds out when it closes the file"),
    Case("too big, returned", mail(*COMPLETE, "x" * 1500, "y" * 1500), MOST, settings="small", differs="theirs cuts a record in two, and its bounce warns of it"),
]

# UTF-8 in an address, under each of the flags that ask for it.
_UTF8 = [Case(f"utf8 {what} {flags}", mail(*COMPLETE, **{what: value}), FROM_SMTPD | flags)  # type: ignore[arg-type]
         for flags in (0, SMTPUTF8, AUTOUTF8, SMTPUTF8 | AUTOUTF8) for what, value in (("to", ["bób@b.example"]), ("sender", "álice@a.example"))]
_UTF8 += [Case(f"utf8 header {flags}", mail("Subject: schön", *COMPLETE), FROM_SMTPD | flags) for flags in (0, SMTPUTF8, AUTOUTF8)]

_HEADERS = [
    Case("empty message id", mail("Message-Id:", "", "b")),
    Case("blank message id", mail("Message-Id:  ", "", "b")),
    Case("odd message id", mail("Message-Id: <a b> c ", "", "b")),
    Case("two message ids", mail("Message-Id: <a>", "Message-Id: <b>", "", "b")),
    Case("folded message id", mail("Message-Id:", " <a>", "", "b")),
    Case("resent", mail("Resent-From: a", "Message-Id: <a>", "", "b")),
    Case("resent message id", mail("Resent-Message-Id: <a>", "", "b")),
    Case("blank before the colon", mail("Subject : hi", "From : a", "X-Any\t :  b", "Resent-To : c", "", "b")),
    Case("many blanks", mail("Subject:    hi  ", "To:   a  ,b ", "", "b")),
    Case("folded", mail("Subject: a", " b", "\tc", "To: a,", "  b", "", "b")),
    Case("no blank", mail("Subject:hi", "To:a", "", "b")),
    Case("dropped", mail("Bcc: a", "Resent-Bcc: a", "Return-Path: a", "Content-Length: 3", "bcc : x", "", "b")),
    Case("no header end", mail("Subject: x", "this is no header", "", "b")),
    Case("starts with body", mail("", "b")),
    Case("starts with a blank", mail(" continued", "Subject: x", "", "b")),
    Case("only headers", mail("Subject: x")),
    Case("nothing", mail()),
    Case("from line", mail("From me at noon", "Subject: x", "", "b")),
    Case("groups and comments", mail("To: all: a, b;, (c) d, \"e f\" <g>, h i", "Cc: <>, undisclosed:;", "", "b")),
    Case("long list", mail("To: " + ", ".join(f"user{n}" for n in range(40)), "", "b")),
    Case("header over the limit", mail("Subject: " + "x" * 300, "To: " + ", ".join(f"u{n}" for n in range(60)), "", "b"), settings="short"),
    Case("folded over the limit", mail("Subject: a", *[" " + "x" * 60] * 6, "To: a,", *[" " + ",".join(f"b{n}" for n in range(15))] * 6, "", "b"), settings="short"),
    Case("long lines", mail("Subject: x", "", "y" * 1250, "z" * 600, "w" * 601), settings="short"),
    Case("stray CR and LF", mail("Subject: a\rb\nc", "", "d\re\nf", "g\r")),
    Case("NUL", mail("Subject: a\0b", "", "c\0d")),
    *[Case(f"list of {n} bytes", mail("To: " + ("a@b.example, " * 8000)[: n - 4], "", "b")) for n in (101000, 102300, 102398, 102500, 103000)],
]

_MIME = [Case(f"encoding {value!r}", mail("MIME-Version: 1.0", f"Content-Transfer-Encoding: {value}", *COMPLETE))
         for value in ("7bit", "8bit", "8BIT", "8BIT ", " 8bit", "binary", "8bit; x", "8bit (c)", "(c) 8bit", '"8bit"', "x-8bit", "8bit8", "quoted-printable", "")]

_MIME += [
    Case("part", parts("--b", "Content-Type: text/plain", "", "x", "--b--", "epilogue: x")),
    Case("part with odd headers", parts("--b", "Subject : hi", "X-Nul: a\0b", "Content-Type: text/plain", "", "x", "--b--")),
    Case("part with folded headers", parts("--b", "Subject: a", " b", "\tc", "", "x", "--b--")),
    Case("part with a long header", parts("--b", "Subject: " + "x" * 300, "X-Fold: a", *[" " + "y" * 60] * 6, "", "x", "--b--"), settings="short"),
    Case("part with a header of very long lines", parts("--b", "Subject: " + "x" * 1300, "", "x" * 1300, "--b--"), settings="short"),
    Case("part without an empty line", parts("--b", "Subject: a", "this is no header", "Content-Type: x", "--b--")),
    Case("part without headers", parts("--b", "this is no header", "--b", "", "x", "--b", "--b--")),
    Case("part that starts with a blank", parts("--b", " x", "Subject: a", "", "--b--")),
    Case("part that ends in its headers", parts("--b", "Subject: a", " b", "--b", "X: y")),
    Case("part with a from line", parts("--b", "From me at noon", "Subject: a", "", "--b--")),
    Case("part with addresses", parts("--b", "To: a, b", "Message-Id: <x>", "Received: x", "Bcc: a", "", "--b--")),
    Case("message part", parts("--b", "Content-Type: message/rfc822", "", "Subject : inner", "Bcc: x", "To: a", "", "x", "--b--")),
    Case("message in a message", mail("Content-Type: message/rfc822", *COMPLETE[:-1], "Content-Type: message/rfc822", "", "Subject: a", "", "x")),
    Case("digest", parts("--b", "", "Subject: a", "", "x", "--b", "Content-Type: text/plain", "", "Subject: b", "--b--", kind="multipart/digest")),
    Case("nested multiparts", parts("--b", "Content-Type: multipart/mixed; boundary=c", "", "--c", "Subject: a", "", "x", "--b", "X-Y: z", "", "--c--", "--b--")),
    Case("boundary in a longer line", parts("--bcd", "Subject : a", "", "--b x", "X : y", "", "--b-- x", "Z : z")),
    Case("boundary in the header's own part", parts("--b", "Content-Type: multipart/mixed; boundary=c", "--c", "Subject : a", "", "--b--")),
    Case("boundary of odd forms", parts("--a b", "Subject : a", "", "--a b--", boundary="a b ")),
    Case("empty boundary", parts("--", "Subject : a", "", "----", boundary="")),
    Case("no boundary", mail("Content-Type: multipart/mixed", *COMPLETE, "--", "Subject : a", "", "x")),
    Case("long boundary", parts("--" + "b" * 100, "Subject : a", "", "--" + "b" * 100 + "--", boundary="b" * 100)),
    *[Case(f"eight bits in a {what}", parts("--b", *lines, "--b--"), FROM_SMTPD | flags) for flags in (0, AUTOUTF8) for what, lines in
      (("part header", ["Subject: schön", "", "x"]), ("part", ["Subject: a", "", "schön"]),
       ("announced part", ["Content-Transfer-Encoding: 8bit", "", "schön"]), ("binary part", ["Content-Transfer-Encoding: binary", "", "schön"]))],
    Case("very many levels", parts(*[line for n in range(120) for line in (f"--b{n or ''}", f"Content-Type: multipart/mixed; boundary=b{n + 1}", "")], "--b120", "Subject : x", "", "--b--")),
]

_CLIENT = ("A log_client_name=client.example", "A log_client_address=192.0.2.1", "A log_message_origin=client.example[192.0.2.1]", "A log_helo_name=helo.example", "A log_protocol_name=ESMTP")
_CHECKS = [
    *[Case(f"header {n} {action}", mail(f"X-A{n}: see", "Subject: see", *COMPLETE, "see y"), settings="checks") for n, action in enumerate(ACTIONS) if action],
    *[Case(f"body {n} {action}", mail(*COMPLETE, f"X-A{n}: see", "see y"), settings="checks") for n, action in enumerate(ACTIONS) if action],
    *[Case(f"{where} {action} with all flags", mail(*lines, envelope=_CLIENT), MOST | HOLD, settings="checks") for n, action in enumerate(ACTIONS)
      if action in ("REJECT", "DISCARD", "HOLD", "REDIRECT dave@d.example", "FILTER smtp:[h.example]", "BCC eve@e.example")
      for where, lines in (("header", (f"X-A{n}: see", *COMPLETE)), ("body", (*COMPLETE, f"X-A{n}: see")))],
    Case("no checks wanted", mail("X-A0: see", *COMPLETE, "X-A0: see"), FROM_SMTPD & ~FILTER, settings="checks"),
    Case("who", mail("Subject: see", *COMPLETE, to=["bob", "carol"], envelope=_CLIENT), settings="checks"),
    Case("who, without recipient", mail("Subject: see", *COMPLETE, to=[], envelope=_CLIENT, extracted=["R bob"]), settings="checks"),
    Case("who, null sender", mail("Subject: see", *COMPLETE, sender="", envelope=_CLIENT[:1]), settings="checks"),
    Case("who, odd", mail("Subject: see", *COMPLETE, sender="a b@c.example", to=["d e@f.example"], envelope=["A log_helo_name=x y"]), settings="checks"),
    Case("address before rewriting", mail("To: see", "From: see", "Cc: seen, b", "", "x"), settings="checks"),
    Case("folded header is checked as one", mail("X-Fold: a", " b", *COMPLETE), settings="checks"),
    Case("long header", mail("X-Long: " + "x" * 500, *COMPLETE, "see " + "y" * 500), settings="checks"),
    Case("control characters", mail("X-Long: xx\1\t\x7f\xff", *COMPLETE, "see \1\t\x7f\xff"), settings="checks"),
    Case("blank before the colon, checked", mail("X-Two : a", *COMPLETE), settings="checks"),
    Case("headers replaced", mail("Received: z", "Message-Id: z", "Date: z", "Bcc: z", "From: a", "", "x"), settings="checks"),
    Case("body line in pieces", [*mail(*COMPLETE)[:-2], record("L see"), record("L see"), record("N see y"), record("X "), record("E ")], settings="checks"),
    Case("two filters", mail(*(f"X-A{n}: x" for n, a in enumerate(ACTIONS) if a.startswith("FILTER ")), *COMPLETE, envelope=["L filter:[f.example]"]), settings="checks"),
    Case("two redirections", mail(*(f"X-A{n}: x" for n, a in enumerate(ACTIONS) if a.startswith("REDIRECT ")), *COMPLETE), settings="checks"),
    Case("two bccs", mail(*(f"X-A{n}: x" for n, a in enumerate(ACTIONS) if a.startswith("BCC ")), *COMPLETE), settings="checks"),
    Case("after a rejection", mail(*(f"X-A{n}: x" for n, a in enumerate(ACTIONS) if a.startswith("REJECT")), "Subject: see", *COMPLETE, "see y"), settings="checks"),
    Case("after a rejection, returned", mail(*(f"X-A{n}: x" for n, a in enumerate(ACTIONS) if a.startswith("REJECT")), "Subject: see", *COMPLETE, "see y"), MOST, settings="checks"),
    Case("checks that fail", mail("Subject: see", *COMPLETE), settings="failing"),
    Case("which check", mail("Subject: see", "Content-Type: multipart/mixed; boundary=b; x=see", "MIME-Version: see", "Content-Any: see", *COMPLETE, "see", "--b", "Subject: see", "Content-Type: message/rfc822; x=see", "",
                             "Subject: see", "Content-Type: see", "MIME-Version: see", "", "see", "x" * 20, "see", "x" * 20, "see", "--b", "X: see", "", "see", "x" * 40, "see", "--b--", "see"), settings="three checks"),
    Case("size limit of body checks", mail(*COMPLETE, *["0123456 see"] * 6), settings="three checks"),
]

_CHECKS += [
    *[Case(f"rejected, return flags {n}", mail("X-A2: x", *COMPLETE, envelope=[f"A ret_flags={n}"]), MOST, settings="checks") for n in (1, 2)],
    *[Case(f"too many hops, return flags {n}", mail("Received: a", "Received: b", *COMPLETE, envelope=[f"A ret_flags={n}"]), MOST, settings="hops") for n in (1, 2)],
    Case("rejected for two reasons", mail("X-A2: x", "Received: a", "Received: b", *COMPLETE), MOST, settings="hops and checks"),
    Case("many faults", mail("X-Long: ä", "Subject: see ä", "X-A2: ä", *COMPLETE, "ä", "see ä", "ö"), MOST, settings="strict and checks"),
    Case("many faults, not returned", mail("X-Long: ä", "Subject: see ä", "X-A2: ä", *COMPLETE, "ä", "see ä", "ö"), settings="strict and checks"),
    Case("faults", mail("X-Long: ä", "Subject: see ä", *COMPLETE, "ä", "see ä", "ö"), settings="strict and checks"),
    Case("fault of a replaced header", mail("X-A27: ä", *COMPLETE), settings="strict and checks"),
    Case("fault of a discarded message", mail("X-A4: ä", *COMPLETE), settings="strict and checks"),
    Case("dash body line", mail(*COMPLETE, "--b", "- x"), settings="checks"),
    Case("limit of nothing", mail(*COMPLETE, "see"), settings="no body"),
    Case("redirection and filter", mail("X-A35: x", "X-A31: x", *COMPLETE), settings="checks"),
    Case("replaced piece", [*mail(*COMPLETE)[:-2], record("L X-A27: see"), record("N X-A23: see"), record("L X-A23: see"), record("N x"), record("X "), record("E ")], settings="checks"),
    Case("ignored last piece", [*mail(*COMPLETE)[:-2], record("L X-A12: see"), record("X "), record("E ")], settings="checks"),
    Case("returned with its words", mail("X-A2: x", *COMPLETE), MOST, settings="checks"),
    Case("temporary and bounceable", mail("X-A3: x", *COMPLETE), MOST, settings="checks"),
    Case("folded header matched over its lines", mail("X-Fold: a", "  b", "X-Fold: a", "\tb", *COMPLETE), settings="checks"),
    Case("bcc not wanted", mail("X-A39: x", *COMPLETE), FILTER | MAP | SMTP_REPLY, settings="checks"),
    Case("redirection in a part", parts("--b", "X-A31: x", "X-A23: see", "X-A24: see", "X-A27: see", "X-A29: see", "X-A12: see", "X-A3: y", "", "--b--"), settings="checks"),
    Case("text of a part", parts("--b", "Subject: see", "", "X-A23: see", "see yy", "--b--"), settings="checks"),
    Case("header in pieces, checked", [*mail()[:-2], record("L Subject: s"), record("N ee"), *content("", "x"), record("X "), record("E ")], settings="checks"),
    *[Case(f"{name} in {where}", mail(*(("MIME-Version: 1.0", f"{name}: see", *COMPLETE) if where == "the header" else ("Content-Type: message/rfc822", *COMPLETE[:-1], f"{name}: see", "", "x"))), settings="three checks")
      for name in ("Content-Disposition", "Content-Description", "Content-ID", "Content-Length", "Content-Language", "Content-Location", "Content-MD5", "Content-Base", "Content-Features", "Content-Class", "Content-Transfer-Encoding", "content-type", "Mime-Version", "MIME-Autoconverted") for where in ("the header", "a message part")],
    *[Case(f"body check at {n}", mail(*COMPLETE[:-1], *lines, "see", "see"), settings="limited body") for n in range(34, 44) for lines in (["x" * n], ["x" * (n // 2), "x" * (n - n // 2)], [*[""] * 4, "x" * n])],
    *[Case(f"body check over the end {n}", mail(*COMPLETE[:-1], "x" * n + "see"), settings="limited body") for n in (35, 36, 37, 38, 39, 40, 41)],
    *[Case(f"body check in pieces {n}", [*mail(*COMPLETE[:-1])[:-2], record("L " + "x" * n), *content("see", "see"), record("X "), record("E ")], settings="limited body") for n in (36, 38, 39, 40, 41)],
    *[Case(f"body check behind a boundary of {n}", mail(f"Content-Type: multipart/mixed; boundary={'b' * n}", *COMPLETE, "--" + "b" * n, "", "see", "x" * (36 - n), "see", "--" + "b" * n + "--", "x" * (34 - n), "see"), settings="limited body") for n in range(1, 9)],
    Case("checks that fail, mime", mail("Subject: see", "MIME-Version: 1.0", *COMPLETE), settings="failing mime"),
    Case("checks that fail, nested", mail("Content-Type: message/rfc822", *COMPLETE[:-1], "X: y"), settings="failing nested"),
    Case("checks that fail, body", mail(*COMPLETE), settings="failing body"),
    Case("checks that fail, body, bounceable", mail(*COMPLETE), MOST, settings="failing body"),
    Case("no mime", parts("Subject: see", "--b", "Subject: see", " see", "Subject : see", "", "see", "--b--", before=("Content-Any: see", "Content-Type: see")), settings="no mime"),
    Case("no mime, 8 bits", parts("--b", "Content-Transfer-Encoding: 8bit", "Subject: ä", "", "see", "--b--", before=("X: ä", "Content-Transfer-Encoding: 8bit")), settings="no mime"),
    Case("no mime, 8 bits inside", parts("--b", "Content-Transfer-Encoding: 8bit", "Subject: ä", "", "see", "--b--"), settings="no mime"),
]

_STRICT = [Case(f"{what}, {settings}{', ' + str(flags) if flags != FROM_SMTPD else ''}", records, flags, settings)
           for settings in ("strict headers", "strict body", "strict both", "strict domain", "shallow") for flags in (FROM_SMTPD, MOST, FROM_SMTPD & ~FILTER) for what, records in (
               ("8 bits in a header", mail("Subject: schön", *COMPLETE)),
               ("8 bits in the body", mail(*COMPLETE, "schön")),
               ("announced 8 bits", mail("Content-Transfer-Encoding: 8bit", *COMPLETE, "schön")),
               ("8 bits announced by the client", mail(*COMPLETE, "schön", envelope=["A encoding=8bit"])),
               ("binary", mail("Content-Transfer-Encoding: binary", *COMPLETE, "schön")),
               ("8 bits in a quoted-printable part", parts("--b", "Content-Transfer-Encoding: quoted-printable", "", "schön", "--b--")),
               ("8 bits in an unannounced part", parts("--b", "X: y", "", "schön", "--b--", before=["Content-Transfer-Encoding: 8bit"])),
               ("8 bits in a part header", parts("--b", "X: schön", "", "x", "--b--", envelope=_CLIENT)),
               ("8 bits in the preamble", parts("schön", "--b", "X: y", "", "x", "--b--")),
               ("base64 multipart", parts("--b", "X: y", "", "x", "--b--", before=["Content-Transfer-Encoding: base64"])),
               ("8-bit part in a 7-bit multipart", parts("--b", "Content-Transfer-Encoding: 8bit", "", "x", "--b--", before=["Content-Transfer-Encoding: 7bit"])),
               ("quoted-printable message", mail("Content-Type: message/rfc822", "Content-Transfer-Encoding: quoted-printable", *COMPLETE[:-1], "X: y", "", "z")),
               ("quoted-printable partial message", mail("Content-Type: message/partial", "Content-Transfer-Encoding: quoted-printable", *COMPLETE)),
               ("quoted-printable external body", mail("Content-Type: message/external-body", "Content-Transfer-Encoding: quoted-printable", *COMPLETE)),
               ("quoted-printable global message", mail("Content-Type: message/global", "Content-Transfer-Encoding: base64", *COMPLETE)),
               ("unknown encoding", mail("Content-Transfer-Encoding: x-mine", *COMPLETE, "schön")),
               ("deep", parts(*[line for n in range(4) for line in (f"--b{n or ''}", f"Content-Type: multipart/mixed; boundary=b{n + 1}", "")], "--b4", "", "x", "--b--")),
               ("long header", mail("Subject: " + "x" * 103000, *COMPLETE)),
           )]

_MAPS = [
    Case("always bcc", mail(*COMPLETE), settings="always bcc"),
    Case("always bcc and bcc", mail("X-A39: x", *COMPLETE, extracted=["R carol"]), settings="always bcc"),
    Case("always bcc, not wanted", mail(*COMPLETE), FILTER | MAP, settings="always bcc"),
    Case("always bcc, local", mail(*COMPLETE), settings="odd always bcc"),
    Case("always bcc, no recipient", mail(*COMPLETE, to=[]), settings="always bcc"),
    *[Case(f"sender bcc {one}", mail(*COMPLETE, sender=one), settings="bcc maps") for one in ("alice@a.example", "alice", "x@s.example", "loop", "two@a.example", "three@a.example", "", "ALICE@a.example")],
    *[Case(f"recipient bcc {one}", mail(*COMPLETE, sender="x@x.example", to=[one]), settings="bcc maps") for one in ("bob", "bob+x", "x@d.example", "r3@r.example", "plus+x@p.example", "list@l.example", "bob@B.example", "")],
    Case("recipient bcc, extracted", mail(*COMPLETE, sender="x@x.example", to=[], extracted=["R bob", "R x@d.example"]), settings="bcc maps"),
    Case("recipient bcc, no mapping", mail(*COMPLETE), BCC, settings="bcc maps"),
    Case("recipient bcc, not wanted", mail(*COMPLETE), MAP, settings="bcc maps"),
    Case("recipient bcc fails", mail(*COMPLETE), settings="failing bcc"),
    *[Case(f"{one} fails", mail(*COMPLETE), settings=f"failing {one}") for one in ("canonical", "sender canonical", "alias")],
    Case("sender bcc fails", mail(*COMPLETE), settings="failing sender bcc"),
    *[Case(f"{settings} {who}", mail(f"From: {who}", f"To: {who}", f"Reply-To: {who}", f"Cc: {who}", "", "x", sender=who, to=[who]), flags, settings) for settings in ("masquerade", "masquerade all", "masquerade none", "masquerade upper")
      for who, flags in (("a@host.foo.example", FROM_SMTPD), ("a@keep.foo.example", FROM_SMTPD), ("a@x.keep.foo.example", FROM_SMTPD), ("a@foo.example", FROM_SMTPD), ("a@xfoo.example", FROM_SMTPD), ("a@HOST.Foo.Example", FROM_SMTPD),
                         ("a@x.bar.foo.example", FROM_SMTPD), ("root@host.foo.example", FROM_SMTPD), ("ROOT@host.foo.example", FROM_SMTPD), ("a@host.foo.example ", FILTER), ("a", FROM_SMTPD))],
]

CASES = [*_MAPS, *_STRICT, *_CHECKS, *_ENVELOPE, *_UTF8, *_HEADERS, *_MIME]
