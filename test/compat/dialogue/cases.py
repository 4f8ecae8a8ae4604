"""The dialogues: each is held with Debian's smtpd and with ours, and both must answer, log and queue alike."""

from __future__ import annotations

from collections.abc import Sequence

from .counter import Case, Say

ETC = "/etc/postfix"
SETTINGS: dict[str, Sequence[str]] = {
    "plain": [],
    "no utf8": ["smtputf8_enable = no"],
    "strict utf8": ["strict_smtputf8 = yes"],
    "all utf8": ["smtputf8_autodetect_classes = all"],
    "discards": ["smtpd_discard_ehlo_keywords = dsn, CHUNKING, etrn, enhancedstatuscodes, silent-discard"],
    "discards aloud": ["smtpd_discard_ehlo_keywords = size, 8bitmime, pipelining, vrfy"],
    "discards for some": [f"smtpd_discard_ehlo_keyword_address_maps = cidr:{ETC}/discards"],
    "small": ["message_size_limit = 2000", "queue_minfree = 1", "line_length_limit = 600", "smtpd_recipient_limit = 3", "smtpd_recipient_overshoot_limit = 2"],
    "limits": ["smtpd_hard_error_limit = 4", "smtpd_soft_error_limit = 2", "smtpd_junk_command_limit = 2"],
    "strict": ["strict_rfc821_envelopes = yes", "smtpd_helo_required = yes", "disable_vrfy_command = yes"],
    "commands": ["smtpd_noop_commands = HELP, XNOOP", "smtpd_forbidden_commands = CONNECT, ZAP", f"smtpd_command_filter = pcre:{ETC}/filter"],
    "normalize": ["smtpd_forbid_bare_newline = normalize", "smtpd_forbid_bare_newline_exclusions ="],
    "reject": ["smtpd_forbid_bare_newline = reject", "smtpd_forbid_bare_newline_exclusions ="],
    "waits": ["smtpd_forbid_unauth_pipelining = yes"],
    "etrn": ["smtpd_etrn_restrictions = check_etrn_access inline:{ other.example=reject }"],
    "etrn refused": ["smtpd_helo_restrictions = reject", "smtpd_etrn_restrictions = permit_mynetworks, reject"],
    "data refused": ["smtpd_data_restrictions = reject"],
    "end refused": ["smtpd_end_of_data_restrictions = reject"],
    "xclient": ["smtpd_authorized_xclient_hosts = 127.0.0.0/8", "smtpd_authorized_xforward_hosts = 127.0.0.0/8", "local_header_rewrite_clients ="],
    "xclient refuses": ["smtpd_authorized_xclient_hosts = 127.0.0.1", "smtpd_client_restrictions = check_client_access inline:{ 192.0.2.9=reject }", "smtpd_delay_reject = no"],
}
FILES = {
    "discards": "127.0.0.2/32 dsn, chunking\n127.0.0.3/32 silent-discard, etrn\n",
    "filter": "/^VRFX (.*)/ VRFY $1\n/^DROP/ NOOP\n/^MAIL FROM:<(\\S+) (\\S+)>/ MAIL FROM:<${1}_$2>\n/^EMPTY/ QUIT\n",
}

EHLO = "EHLO client.example"
MAIL = "MAIL FROM:<a@a.example>"
RCPT = "RCPT TO:<bob@test.invalid>"
TEXT = "Subject: x\n\nbody\n."
SEND: list[Say] = [MAIL, RCPT, "DATA", TEXT]


# After a message whose chunks were too big, Debian's tells of no recipient in the next message's Received header.
SECOND = r"ID1;?'|\\t(for <bob@test.invalid>; )?DATE"


def mail(parameters: str = "", rcpt: str = "", text: str = TEXT) -> list[Say]:
    """A message with these parameters."""
    return [EHLO, f"{MAIL} {parameters}".strip(), f"{RCPT} {rcpt}".strip(), "DATA", text]


def chunks(*parts: bytes | str, last: bool = True) -> list[Say]:
    """A message in chunks."""
    said: list[Say] = [EHLO, MAIL, RCPT]
    for n, part in enumerate(parts):
        data = part.encode() if isinstance(part, str) else part
        said.append(b"BDAT %d%s\r\n%s" % (len(data), b" LAST" if last and n == len(parts) - 1 else b"", data))
    return said


_HELLO = [
    Case("ehlo", [EHLO]),
    Case("helo", ["HELO client.example", *SEND]),
    Case("no hello", SEND),
    Case("ehlo then helo", [EHLO, "HELO again.example", *SEND]),
    Case("helo then ehlo", ["HELO client.example", EHLO, *SEND]),
    Case("ehlo twice", [EHLO, "EHLO other.example", *SEND], faults=["EHLO twice"]),
    Case("ehlo in a transaction", [EHLO, MAIL, RCPT, EHLO, RCPT, "DATA", *SEND]),
    Case("ehlo without a name", ["EHLO", "EHLO ", "HELO", MAIL]),
    Case("ehlo with more", ["EHLO a b", MAIL, RCPT, "DATA", TEXT]),
    Case("ehlo in small letters", ["ehlo client.example", "mail from:<a@a.example>", "rcpt to:<bob@test.invalid>", "data", TEXT]),
    *[Case(f"ehlo {name}", [f"EHLO {name}", *SEND]) for name in ("<a>", "[127.0.0.1]", "[IPv6:::1]", "a(b)", '"x"', "a\\b", "a;b@c,d:e", "x" * 600)],
    Case("ehlo with a control character", [b"EHLO a\x01b\r\n", *SEND]),
    Case("helo required", [MAIL, RCPT, "VRFY bob", "ETRN x.example", EHLO, MAIL], "strict"),
    *[Case(f"ehlo, {what}", [EHLO, MAIL + " RET=HDRS", "RSET", MAIL + " SIZE=10", "RSET", MAIL + " BODY=8BITMIME", "RSET", MAIL + " SMTPUTF8", "RSET", MAIL, RCPT + " NOTIFY=NEVER", RCPT, b"BDAT 3 LAST\r\nx\r\n", "ETRN test.invalid"], what)
      for what in ("no utf8", "discards", "discards aloud")],
    *[Case(f"ehlo from {who}", [EHLO, *SEND], "discards for some", who=who) for who in ("127.0.0.1", "127.0.0.2", "127.0.0.3")],
]

_DSN = [
    *[Case(f"dsn {parameters}", mail(parameters)) for parameters in (
        "RET=FULL", "RET=HDRS", "ret=full", "RET=full", "RET=", "RET=BODY", "RET", "RET=FULL RET=HDRS", "ENVID=abc", "ENVID=", "ENVID=a+2Bb", "ENVID=a+2", "ENVID=a+zz",
        "ENVID=a+00b", "ENVID=a+C3+A4", "ENVID=a=b", "ENVID=" + "x" * 100, "ENVID=" + "x" * 101, "ENVID=" + "+2B" * 34, "ENVID=a ENVID=b", "RET=HDRS ENVID=q SIZE=100 BODY=8BITMIME",
        "ENVID=a+20b", "ENVID=a+7F", "ENVID=a+2b")],
    *[Case(f"dsn {parameters}", mail("", parameters)) for parameters in (
        "NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=FAILURE", "NOTIFY=DELAY", "NOTIFY=SUCCESS,FAILURE,DELAY", "NOTIFY=DELAY,SUCCESS", "notify=never", "NOTIFY=never", "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER", "NOTIFY=", "NOTIFY", "NOTIFY=,", "NOTIFY=SUCCESS,", "NOTIFY=X", "NOTIFY=SUCCESS,SUCCESS", "NOTIFY=NEVER NOTIFY=SUCCESS", "NOTIFY=NEVER,NEVER", "NOTIFY=SUCCESS,X",
        "ORCPT=rfc822;bob@b.example", "ORCPT=RFC822;bob@b.example", "ORCPT=rfc822;", "ORCPT=;bob", "ORCPT=", "ORCPT=bob", "ORCPT", "ORCPT=rfc822;a+2Bb@b.example", "ORCPT=rfc822;a+2", "ORCPT=rfc822;a+zz",
        "ORCPT=x400;C=de/A=x", "ORCPT=rfc822;" + "x" * 600, "ORCPT=rfc822;a ORCPT=rfc822;b", "ORCPT=rfc822;a;b", "ORCPT=rfc822;a+20b", "ORCPT=rfc822;a+00b", "ORCPT=utf-8;b\\x{F3}b@b.example",
        "ORCPT=utf-8;bób@b.example", "ORCPT=utf-8;a+2Bb", "ORCPT=rfc822;b+C3+B3b", "ORCPT=rfc822;bob@b.example NOTIFY=NEVER", "NOTIFY=NEVER ORCPT=rfc822;bob@b.example", "ORCPT=rfc822;\"a b\"@b", "X=Y", "SIZE=3",
        "ORCPT=utf-8;b\\x{2B}b", "ORCPT=utf-8;b\\x{ZZ}b", "ORCPT=utf-8;b\\x{110000}b", "ORCPT=UTF-8;b\\x{41}b", "ORCPT=rfc 822;b")],
    Case("dsn, two recipients", [EHLO, MAIL, RCPT + " NOTIFY=NEVER", "RCPT TO:<carol@test.invalid>", RCPT + " NOTIFY=SUCCESS ORCPT=rfc822;x@y", "DATA", TEXT]),
    Case("dsn after helo", ["HELO client.example", MAIL + " RET=HDRS ENVID=x", RCPT + " NOTIFY=NEVER", "DATA", TEXT]),
    Case("dsn, then another message", [*mail("RET=HDRS ENVID=x", "NOTIFY=NEVER"), *SEND]),
]

_MAIL = [
    Case(f"mail {parameters}", mail(parameters)) for parameters in (
        "SIZE=0", "SIZE=", "SIZE=x", "SIZE=-1", "SIZE=99999999999999999999", "SIZE=10240000", "SIZE=10240001", "SIZE", "size=5", "SIZE=5 SIZE=6", "BODY=7BIT", "BODY=8BITMIME", "BODY=8bitmime", "BODY=BINARYMIME", "BODY=",
        "BODY", "AUTH=<>", "AUTH=a+40b", "SMTPUTF8", "SMTPUTF8=x", "smtputf8", "REQUIRETLS", "X", "=", "X=", "XVERP", "XVERP=+=", "XVERP=", "XVERP=ab", "XVERP=abc", "VERP", "SIZE=5\tBODY=7BIT", "RET=FULLX")
]

_UTF8 = [
    *[Case(f"utf8 {settings}{' asked' if ask else ''} {sender} {rcpt} {head}", [f"EHLO {'clïent.example' if sender == '1' else 'client.example'}", f"MAIL FROM:<{'ä@ä.example' if sender == '1' else 'a@a.example'}>{ask}",
        f"RCPT TO:<{'bób@test.invalid' if rcpt else 'bob@test.invalid'}>", "DATA", f"Subject: {'schön' if head else 'x'}\n\nbödy\n."], settings)
      for settings in ("plain", "no utf8", "strict utf8", "all utf8") for ask in ("", " SMTPUTF8") for sender, rcpt, head in (("", "", ""), ("", "", "1"), ("", "1", ""), ("1", "", ""))],
    *[Case(f"no utf8 at all {settings} {n}", [*before, bad, *SEND], settings) for settings in ("plain", "no utf8", "strict utf8") for n, (before, bad) in enumerate((
        ([EHLO], b"MAIL FROM:<a\xff@a.example>\r\n"), ([EHLO], b"MAIL FROM:<a\xff@a.example> SMTPUTF8\r\n"), ([EHLO, MAIL], b"RCPT TO:<b\xe9b@test.invalid>\r\n"), ([], b"EHLO \xff\r\n"), ([], b"HELO \xc3\xa4\r\n"),
        ([EHLO], b"NOOP \xff\r\n"), ([EHLO], b"VRFY b\xc3\xb3b\r\n"), ([EHLO], b"VRFY b\xffb\r\n"), ([EHLO], b"\xff\r\n"), ([EHLO], b"\xc3\xa4\r\n"), ([EHLO], b"MAIL FROM:<a@b> ENVID=\xff\r\n"),
        ([EHLO], b"RSET \xff\r\n"), ([EHLO], b"VRFY b\xc3\xb3b SMTPUTF8\r\n"), ([EHLO], b"MAIL FROM:<a@\xc3\xa4.example>\r\n"), ([EHLO], b"MAIL FROM:<a@\xc3\xa4..example> SMTPUTF8\r\n")))],
    Case("utf8 recipient after a plain one", [EHLO, MAIL + " SMTPUTF8", RCPT, "RCPT TO:<bób@test.invalid>", "DATA", TEXT]),
    Case("utf8 envelope, two messages", [EHLO, "MAIL FROM:<ä@ä.example> SMTPUTF8", RCPT, "DATA", TEXT, *SEND]),
]

_SMALL = [
    Case("unknown commands", ["HELP", "EXPN x", "TURN", "FOO", "", " ", "  NOOP", "NOOP x", "NOOP", "STARTTLS", "STARTTLS x", "AUTH", "AUTH PLAIN", "AUTH PLAIN =", "XCLIENT", "XCLIENT NAME=x", "XFORWARD NAME=x", "BURL x", "SAML", "XEHLO"]),
    Case("unknown commands after ehlo", [EHLO, "HELP", "STARTTLS", "AUTH PLAIN", "AUTH", "XCLIENT NAME=x", "XFORWARD NAME=x", "EXPN x", "", "EHLO", "LHLO x"]),
    Case("unknown commands in a transaction", [EHLO, MAIL, "STARTTLS", "AUTH PLAIN", "XCLIENT NAME=x", "XFORWARD NAME=x", "ETRN x", "VRFY bob", "NOOP", RCPT, "DATA", TEXT]),
    Case("vrfy", ["VRFY", "VRFY bob", "VRFY bob@test.invalid", "VRFY <bob@test.invalid>", "VRFY x@elsewhere.example", "VRFY @", "VRFY a b", "VRFY Bob <bob@test.invalid>", "VRFY \"a b\"", "VRFY a@@b", "VRFY <>"]),
    Case("vrfy off", [EHLO, "VRFY bob"], "strict"),
    Case("rset", [EHLO, "RSET", "RSET x", MAIL, RCPT, "RSET", RCPT, "DATA", *SEND], faults=["commands after RSET"]),
    Case("data too early", ["DATA", EHLO, "DATA", MAIL, "DATA", "DATA x", RCPT, "DATA x", "DATA", TEXT]),
    Case("mail twice", [EHLO, MAIL, MAIL, RCPT, MAIL, "DATA", TEXT]),
    Case("rcpt too early", [EHLO, RCPT, MAIL, RCPT, "DATA", TEXT, RCPT]),
    Case("quit with more", [EHLO, "QUIT now"]),
    Case("quit, then more", [EHLO, ("QUIT\nNOOP\nMAIL FROM:<x@y>", 1)], faults=["commands after QUIT"]),
    Case("mail syntax", [EHLO, "MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM: ", "MAIL FROM:a@b", "RSET", "MAIL FROM:<a@b",
                          "MAIL FROM:<a b@c>", "RSET", "MAIL FROM:<@x,@y:a@b>", "RSET", "MAIL FROM:<a@b> <c>", "MAIL FROM:<a@b>SIZE=3", "MAIL TO:<a>", "MAIL FROM:<>", "RSET", "MAIL FROM:<a@@b>", "MAILFROM:<a>"]),
    Case("mail syntax, more", [EHLO, "MAIL FROM:<a(c)@b>", "RSET", "MAIL FROM:<\"a\"@b>", "RSET", "MAIL FROM:<\"a b\"@b>", "RSET", "MAIL FROM:<a@[127.0.0.1]>", "RSET", "MAIL FROM:<a@[x]>", "MAIL FROM:<a@b.>", "RSET",
                                "MAIL FROM:<a.@b>", "RSET", "MAIL FROM:<-a@b>", "MAIL FROM:Alice <a@b>", "MAIL FROM:<a@-b>", "RSET", "MAIL FROM:<a@b_c>", "RSET", "MAIL FROM:<a@b..c>", "RSET", "MAIL FROM:<a\\@b>", "RSET", "MAIL FROM:<a@b;c>"]),
    Case("rcpt syntax", [EHLO, MAIL, "RCPT", "RCPT TO", "RCPT TO:", "RCPT TO:<>", "RCPT TO:bob@test.invalid", "RCPT TO:<bob@test.invalid", "RCPT TO:bob", "RCPT TO:<\"\">", "RCPT TO:<\"\"@test.invalid>", "RCPT TO:<@test.invalid>", "RCPT TO:<bob@>",
                          "RCPT FROM:<a>", "RCPT TO:<a b@test.invalid>", "RCPT TO:<@x:bob@test.invalid>", "RCPT TO:<bob%x@test.invalid>", "RCPT TO:<x!bob@test.invalid>", "RCPT TO:<postmaster>", "RCPT TO: <bob@test.invalid>"]),
    Case("mail syntax, strict", [EHLO, "MAIL FROM:a@b", "MAIL FROM:<a(c)@b>", "MAIL FROM:Alice <a@b>", "MAIL FROM: <a@b>", "RSET", "MAIL FROM:<a b@c>", "RSET", "MAIL FROM:<a.@b>", "RSET", MAIL, "RCPT TO:bob@test.invalid", "RCPT TO: <bob@test.invalid>"], "strict"),
    Case("null in a command", [b"NOOP\0x\r\n", b"MAIL FROM:<a\0b@c>\r\n", EHLO, b"EHLO a\0b\r\n"], faults=["NUL"]),
    Case("bare newlines", [b"EHLO client.example\n", b"MAIL FROM:<a@a.example>\n", b"RCPT TO:<bob@test.invalid>\n", b"DATA\n", b"Subject: x\n\nbody\n.\n"]),
    Case("noop commands", [EHLO, "HELP", "xnoop 1 2", "XNOO", "HELP"], "commands"),
    Case("forbidden commands", [EHLO, "ZAP"], "commands"),
    Case("forbidden at once", ["CONNECT host:25 HTTP/1.0"], "commands"),
    Case("get", ["GET / HTTP/1.0"]),
    Case("a header", [EHLO, "Subject: x"]),
    Case("a header without blank", [EHLO, "Subject:x"]),
    Case("tls hello", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n"]),
    Case("command filter", [EHLO, "VRFX bob", "DROP it", "MAIL FROM:<a b>", "RCPT TO:<bob@test.invalid>", "DATA", TEXT, "EMPTY"], "commands"),
    Case("too many errors", [EHLO, "X", "X", "X", "X", "X"], "limits"),
    Case("errors, then a message", [EHLO, "X", "X", "X", *SEND, "X", "X", "X", "X"], "limits"),
    Case("errors of all kinds", [EHLO, "RCPT", "VRFY", "DATA", "MAIL"], "limits"),
    Case("junk", [EHLO, "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP", "NOOP"], "limits"),
    Case("junk of all kinds", [EHLO, "RSET", "VRFY bob", "NOOP", "ETRN x", "RSET", "VRFY bob", "RSET", "RSET"], "limits"),
    Case("junk and mail", [EHLO, "RSET", "RSET", *SEND, "RSET", "RSET", "RSET", *SEND, "RSET", "RSET"], "limits"),
    Case("too many recipients", [EHLO, MAIL, *[f"RCPT TO:<b{n}@test.invalid>" for n in range(8)], "DATA", TEXT], "small"),
    Case("too much announced", [EHLO, MAIL + " SIZE=2001", MAIL + " SIZE=2000", RCPT, "DATA", "x" * 70 + "\n" + ("y" * 78 + "\n") * 30 + "."], "small"),
    Case("too much", [EHLO, MAIL, RCPT, "DATA", "Subject: x\n\n" + ("y" * 78 + "\n") * 30 + ".", *SEND], "small"),
    Case("a long line", ["NOOP " + "x" * 600, "EHLO " + "x" * 590, "NOOP " + "x" * 5000, MAIL], "small"),
    Case("a long command", ["NOOP " + "x" * 2100, "EHLO " + "x" * 1000, "MAIL FROM:<" + "a" * 1000 + "@a.example>", RCPT, "DATA", TEXT]),
    Case("long lines of data", [EHLO, MAIL, RCPT, "DATA", "Subject: x\n\n" + "y" * 1250 + "\n" + "z" * 600 + "\n" + "w" * 601 + "\n" + "." * 700 + "\n."], "small"),
    *[Case(f"first line {line!r}", [EHLO, MAIL, RCPT, "DATA", f"{line}\nSubject: x\n\nbody\n."]) for line in ("From me at noon", ">From me", ">> From me", "From : me", "From ", "From", " From me")],
    Case("hangs up", [EHLO], hangs_up=True),
    Case("hangs up at once", [], hangs_up=True),
    Case("hangs up in a transaction", [EHLO, MAIL, RCPT], hangs_up=True),
    Case("hangs up in data", [EHLO, MAIL, RCPT, "DATA", ("Subject: x\n\nbody", 0)], hangs_up=True),
    Case("hangs up after a message", [EHLO, *SEND], hangs_up=True),
    Case("hangs up after a refused message", [EHLO, *SEND], "end refused", hangs_up=True),
    Case("hangs up after chunks", chunks("Subject: x\r\n"), hangs_up=True),
    Case("hangs up after rset", [EHLO, *SEND, "RSET"], hangs_up=True),
    Case("hangs up after the next mail", [EHLO, *SEND, MAIL], hangs_up=True),
    Case("hangs up in a line", [EHLO, (b"MAIL FR", 0)], hangs_up=True),
    Case("pipelined", [EHLO, (f"{MAIL}\n{RCPT}\nRCPT TO:<x@elsewhere.example>\nDATA", 4), f"{TEXT}\nQUIT"]),
    Case("pipelined too early", [(f"{EHLO}\n{MAIL}\n{RCPT}\nDATA", 4), TEXT]),
    Case("pipelined behind data", [EHLO, MAIL, RCPT, (f"DATA\n{TEXT}\nQUIT", 3)]),
    Case("pipelined behind helo", ["HELO x", (f"{MAIL}\n{RCPT}", 2)]),
    Case("pipelined too early, refused", [(f"{EHLO}\n{MAIL}\n{RCPT}\nDATA", 4), TEXT], "waits"),
    Case("pipelined behind bdat", [EHLO, (f"{MAIL}\n{RCPT}\nBDAT 3\nx\nBDAT 0 LAST\n{MAIL}", 5)], "waits"),
]

_BDAT = [
    Case("bdat", chunks("Subject: x\r\n\r\nbody\r\n")),
    Case("bdat in two", chunks("Subject: x\r\n\r\nbo", "dy\r\n")),
    Case("bdat and an empty last", chunks("Subject: x\r\n\r\nbody\r\n", "")),
    Case("bdat of nothing", chunks("")),
    Case("bdat of nothing in two", chunks("", "")),
    Case("bdat 0, then data", [*chunks("", last=False), "DATA", MAIL, RCPT, "RSET", *SEND], faults=["DATA after a BDAT error"]),
    Case("bdat by bytes", chunks(*"Subject: x\r\n\r\n.\r\n..\r\nend\r\n")),
    Case("bdat split at line ends", chunks("Subject: x\r", "\n\r", "\n.\r", "\n.", "\r\n", ".x", "\r\n", "\r", "\nz\r\n")),
    Case("bdat, a cr in the middle", chunks("Subject: x\r", "y\r\n\r\r\nz\r", "\r\n"), faults=["bare CR"]),
    Case("bdat, no line end", chunks("Subject: x\r\n\r\nbody")),
    Case("bdat, a cr at the end", chunks("Subject: x\r\n\r\nbody\r")),
    Case("bdat, bare newlines", chunks("Subject: x\n\nbody\n.\n.x\n")),
    Case("bdat, bare newlines, normalize", chunks("Subject: x\n\nbody\n.\n.x\n"), "normalize"),
    Case("bdat, bare newlines, reject", chunks("Subject: x\n\nbody\n.\n.x\n"), "reject"),
    Case("bdat, bare newlines later, reject", chunks("Subject: x\r\n\r\n", "body\n", "y\r\n"), "reject"),
    Case("bdat, mailbox line", chunks("From me at noon\r\nSubject: x\r\n\r\nb\r\n")),
    Case("bdat, a leading blank", chunks(" x\r\nSubject: x\r\n\r\nb\r\n")),
    Case("bdat, eight bits and nul", chunks(b"Subject: \xff\0x\r\n\r\nb\0\xe9\r\n"), faults=["NUL"]),
    Case("bdat, long lines", chunks("Subject: x\r\n\r\n" + "y" * 700, "y" * 500 + "\r\n" + "z" * 600 + "\r\n" + "." * 700 + "\r\n"), "small"),
    Case("bdat too much", [*chunks("Subject: x\r\n\r\n" + "y" * 1500 + "\r\n", "y" * 1500 + "\r\n", "z\r\n"), *SEND], "small", free=SECOND),
    Case("bdat too much at once", [*chunks("Subject: x\r\n\r\n" + "y" * 2500 + "\r\n", "z\r\n"), *SEND], "small", free=SECOND),
    Case("bdat in two, too much in the last", [*chunks("Subject: x\r\n\r\n" + "y" * 1500 + "\r\n", "y" * 1500 + "\r\n"), *SEND], "small", free=SECOND),
    *[Case(f"{one!r}", [EHLO, MAIL, RCPT, one, "RSET", *SEND]) for one in (
        "BDAT", "BDAT x", "BDAT -1", "BDAT 1 2", "BDAT 1 LAST x", "BDAT LAST", "BDAT +1", "BDAT 99999999999999999999", "BDAT 0x1", "BDAT 1LAST", "BDAT 0 FIRST")],
    Case("bdat last in small letters", [EHLO, MAIL, RCPT, b"bdat 3 last\r\nx\r\n"]),
    Case("bdat too early", [b"BDAT 3\r\nx\r\n", EHLO, b"BDAT 3\r\nx\r\n", MAIL, b"BDAT 3 LAST\r\nx\r\n", RCPT, b"BDAT 3 LAST\r\nx\r\n"]),
    Case("bdat without recipients, pipelined", [EHLO, (b"MAIL FROM:<a@a.example>\r\nRCPT TO:<x@>\r\nBDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n", 4), *SEND]),
    Case("bdat after helo", ["HELO client.example", MAIL, RCPT, b"BDAT 3 LAST\r\nx\r\n"]),
    Case("commands between chunks", [*chunks("Subject: x\r\n", last=False), "NOOP", RCPT, MAIL, "VRFY bob", "DATA", "ETRN x", "AUTH PLAIN", "FOO", EHLO, b"BDAT 3 LAST\r\nx\r\n", *SEND]),
    Case("rset between chunks", [*chunks("Subject: x\r\n", last=False), "RSET", b"BDAT 3 LAST\r\nx\r\n", *SEND]),
    Case("data between chunks", [*chunks("Subject: x\r\n", last=False), "DATA", b"BDAT 3 LAST\r\nx\r\n", *SEND], faults=["DATA after a BDAT error"]),
    Case("helo between chunks", [*chunks("Subject: x\r\n", last=False), "HELO x", b"BDAT 3 LAST\r\nx\r\n", *SEND]),
    Case("quit between chunks", chunks("Subject: x\r\n", last=False)),
    Case("hangs up between chunks", chunks("Subject: x\r\n", last=False), hangs_up=True),
    Case("hangs up in a chunk", [*chunks("Subject: x\r\n", last=False), (b"BDAT 100\r\nshort", 0)], hangs_up=True),
    Case("hangs up in the first chunk", [EHLO, MAIL, RCPT, (b"BDAT 100\r\nshort", 0)], hangs_up=True),
    Case("bdat all at once", [EHLO, (b"MAIL FROM:<a@a.example>\r\nRCPT TO:<bob@test.invalid>\r\nBDAT 12\r\nSubject: x\r\nBDAT 5 LAST\r\n\r\nx\r\nRSET\r\n", 5), *SEND]),
    Case("bdat, two messages", [*chunks("Subject: x\r\n\r\n1\r\n"), *chunks("Subject: x\r\n\r\n2\r\n")[1:], *SEND]),
    Case("bdat, then bdat", [*chunks("Subject: x\r\n\r\n1\r\n"), b"BDAT 3 LAST\r\nx\r\n", *SEND]),
    Case("bdat, one recipient refused", [EHLO, MAIL, RCPT, "RCPT TO:<@>", b"BDAT 3 LAST\r\nx\r\n"]),
    Case("bdat, discarded", [EHLO, MAIL, RCPT, b"BDAT 3\r\nx\r\n", b"BDAT 3 LAST\r\nx\r\n"], "discards"),
]

_ETRN = [
    Case("etrn", ["ETRN relay.example", EHLO, "ETRN relay.example", "ETRN @relay.example", "ETRN #x", "ETRN other.example", "ETRN nowhere.example", "ETRN", "ETRN a b", "ETRN <x>", "ETRN [127.0.0.1]", "ETRN bad..name", "etrn RELAY.Example", "ETRN -x"], "etrn"),
    Case("etrn without domains", [EHLO, "ETRN nowhere.example", "ETRN test.invalid"]),
    Case("etrn in a transaction", [EHLO, MAIL, "ETRN relay.example", RCPT, "ETRN relay.example", "DATA", TEXT], "etrn"),
    Case("etrn after helo", ["HELO client.example", "ETRN relay.example"], "etrn"),
]

_XCLIENT = [
    Case("xclient", [EHLO, "XCLIENT NAME=far.example ADDR=192.0.2.7", EHLO, *SEND, "XCLIENT ADDR=127.0.0.9"], "xclient"),
    *[Case(f"xclient {said}", [EHLO, f"XCLIENT {said}", "EHLO after.example", *SEND], "xclient") for said in (
        "NAME=far.example", "NAME=[UNAVAILABLE]", "NAME=[TEMPUNAVAIL]", "NAME=[unavailable] ADDR=192.0.2.7", "NAME=", "NAME=a+2Db", "NAME=a+2", "NAME=-bad-", "NAME=a..b", "NAME=192.0.2.1", "NAME=a_b", "NAME=a b", "ADDR=192.0.2.7", "ADDR=[UNAVAILABLE]", "ADDR=IPV6:2001:db8::1",
        "ADDR=ipv6:2001:DB8::1", "ADDR=2001:db8::1", "ADDR=x", "ADDR=", "ADDR=192.0.2.300", "ADDR=[192.0.2.7]", "PORT=1234", "PORT=[UNAVAILABLE]", "PORT=x", "PORT=70000", "PORT=", "PROTO=SMTP", "PROTO=ESMTP", "PROTO=x", "PROTO=esmtp", "PROTO=[UNAVAILABLE]", "HELO=far.helo", "HELO=[UNAVAILABLE]",
        "HELO=", "HELO=a+20b", "HELO=<x>", "LOGIN=alice", "LOGIN=[UNAVAILABLE]", "LOGIN=", "DESTADDR=192.0.2.8", "DESTADDR=[UNAVAILABLE]", "DESTADDR=x", "DESTPORT=26", "DESTPORT=x", "DESTPORT=[UNAVAILABLE]", "name=far.example addr=192.0.2.7", "X=Y", "NAME", "", "NAME=a ADDR=x", "ADDR=192.0.2.7 NAME=far.example",
        "NAME=far.example ADDR=192.0.2.7 PORT=99 PROTO=SMTP HELO=far.helo DESTADDR=192.0.2.8 DESTPORT=25 LOGIN=alice", "NAME=a+00b", "NAME=" + "x" * 260, "HELO=" + "x" * 260, "REVERSE_NAME=x.example", "NAME=[TEMPUNAVAIL] ADDR=[TEMPUNAVAIL]")],
    Case("xclient helo and proto only", [EHLO, "XCLIENT HELO=far.helo PROTO=SMTP", *SEND], "xclient"),
    Case("xclient without hello", ["XCLIENT NAME=far.example ADDR=192.0.2.7", *SEND], "xclient"),
    Case("xclient in a transaction", [EHLO, MAIL, "XCLIENT NAME=far.example", "XFORWARD NAME=far.example", RCPT, "DATA", TEXT], "xclient"),
    Case("xclient twice", [EHLO, "XCLIENT HELO=far.helo", "XCLIENT NAME=far.example ADDR=192.0.2.7", "XCLIENT NAME=again.example", EHLO], "xclient"),
    Case("xclient away", [EHLO, "XCLIENT ADDR=192.0.2.7", EHLO, "XCLIENT ADDR=127.0.0.1", "XFORWARD NAME=x"], "xclient"),
    Case("xclient not allowed", [EHLO, "XCLIENT ADDR=192.0.2.7"], "xclient refuses", who="127.0.0.2"),
    Case("xclient refused", [EHLO, "XCLIENT ADDR=192.0.2.9", EHLO, MAIL, "NOOP"], "xclient refuses"),
    Case("xclient not refused", [EHLO, "XCLIENT ADDR=192.0.2.10", EHLO, *SEND], "xclient refuses"),
    Case("xclient relays", [EHLO, "XCLIENT ADDR=192.0.2.10", EHLO, MAIL, "RCPT TO:<x@elsewhere.example>"], "xclient"),
    Case("xforward", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7 PORT=99 PROTO=ESMTP HELO=far.helo IDENT=abc SOURCE=LOCAL", *SEND, *SEND], "xclient"),
    *[Case(f"xforward {said}", [EHLO, f"XFORWARD {said}", *SEND], "xclient") for said in (
        "NAME=far.example", "NAME=[UNAVAILABLE]", "NAME=", "NAME=a+20b", "NAME=a+2", "NAME=a..b", "ADDR=192.0.2.7", "ADDR=IPV6:2001:db8::1", "ADDR=[UNAVAILABLE]", "ADDR=x", "PORT=99", "PORT=x", "PORT=[UNAVAILABLE]", "PROTO=SMTP", "PROTO=x", "PROTO=LMTP", "PROTO=" + "x" * 70, "PROTO=[UNAVAILABLE]",
        "HELO=far.helo", "HELO=<x>", "HELO=[UNAVAILABLE]", "IDENT=abc", "IDENT=[UNAVAILABLE]", "IDENT=a+3Cb", "IDENT=", "SOURCE=LOCAL", "SOURCE=REMOTE", "SOURCE=local", "SOURCE=x", "SOURCE=[UNAVAILABLE]", "LOGIN=x", "X=Y", "NAME", "", "name=far.example", "HELO=a+28b+29", "IDENT=" + "x" * 300,
        "NAME=far.example ADDR=192.0.2.7", "NAME=" + "x" * 300, "NAME=a+C3+A4", "NAME=a+01b")],
    Case("xforward in two", [EHLO, "XFORWARD NAME=far.example", "XFORWARD ADDR=192.0.2.7", MAIL, RCPT, "RSET", *SEND], "xclient"),
    Case("xforward then xclient", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7", "XCLIENT NAME=x.example ADDR=192.0.2.8", EHLO, *SEND], "xclient"),
    Case("xforward not allowed", [EHLO, "XFORWARD NAME=far.example"], "xclient refuses"),
    Case("xforward and a refused recipient", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7 HELO=far.helo PROTO=SMTP", MAIL, "RCPT TO:<@>", "RCPT TO:<x@>", RCPT, "DATA", TEXT], "xclient"),
]

_TURNS = [
    *[Case(f"pipelined behind {word}", [EHLO, (f"{word}\nNOOP", 2)]) for word in (
        "HELO x", "EHLO x", "VRFY bob", "NOOP", "RSET", "ETRN x", "AUTH PLAIN", "STARTTLS", "HELP", "XCLIENT NAME=x", "XFORWARD NAME=x", "MAIL FROM:<a@b>", "BDAT 0 LAST", "RCPT TO:<x>", "FOO")],
    Case("quoted recipients", [EHLO, MAIL, 'RCPT TO:<"x y"@test.invalid>', 'RCPT TO:<"x@y"@test.invalid>', "RCPT TO:<bob>", "RCPT TO:<@far.example:carol@test.invalid>", "DATA", TEXT]),
    *[Case(f"utf8 local part {settings}{ask}", [EHLO, f"MAIL FROM:<ä@a.example>{ask}", RCPT, "DATA", TEXT], settings) for settings in ("plain", "no utf8", "strict utf8") for ask in ("", " SMTPUTF8")],
    *[Case(f"dsn {orcpt}", mail("", orcpt)) for orcpt in ("ORCPT=rfc822;b+FFb", "ORCPT=rfc822;b+0Ab", "ORCPT=utf-8;b+C3+B3b", "ORCPT=utf-8;", "ORCPT=a-b;c", "ORCPT=a_b;c", "ORCPT=rfc822;<bob>")],
    Case("xforward, then ehlo", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7", EHLO, *SEND], "xclient"),
    Case("xforward, then a refused sender", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7", "MAIL FROM:<@>", *SEND], "xclient"),
    Case("xforward, then data without recipients", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7", MAIL, "DATA", RCPT, "DATA", TEXT], "xclient"),
    Case("xforward and chunks", [EHLO, "XFORWARD NAME=far.example ADDR=192.0.2.7", MAIL, RCPT, b"BDAT 3 LAST\r\nx\r\n", *SEND], "xclient"),
    Case("bdat refused by restrictions", [*chunks("Subject: x\r\n\r\n", "body\r\n"), *SEND], "data refused", free="( to=<bob@test.invalid>)? proto"),
    Case("data refused by restrictions", [EHLO, *SEND[:-1], "RSET", "NOOP"], "data refused"),
    Case("the end refused by restrictions", [EHLO, *SEND, "RSET", *SEND], "end refused", faults=["commands after a rejected end of data"]),
    Case("bdat, the end refused by restrictions", [*chunks("Subject: x\r\n\r\n", "body\r\n"), "RSET", *SEND], "end refused", faults=["commands after a rejected end of data"]),
    Case("data, bare newlines, reject", [EHLO, MAIL, RCPT, "DATA", b"Subject: x\n\nbody\r\n.\r\n", *SEND], "reject"),
    Case("commands, bare newlines, reject", [b"EHLO x\n", b"NOOP\n", "EHLO y", b"NOOP\n", *SEND], "reject"),
    Case("helo required for the rest", ["AUTH PLAIN", "STARTTLS", "BDAT 0 LAST", "XCLIENT NAME=x", "DATA", "NOOP"], "strict"),
    Case("etrn with a filter", [EHLO, "ETRN relay.example"], "etrn refused"),
]

_MUCH = [
    Case("a command of a million", [EHLO, "NOOP " + "x" * 1_000_000, *SEND], faults=["1,000,000-character line"]),
    Case("a line of a million", [EHLO, MAIL, RCPT, "DATA", "Subject: x\n\n" + "y" * 1_000_000 + "\nend\n."], faults=["1,000,000-character line"]),
    Case("a chunk with a line of a million", chunks("Subject: x\r\n\r\n", "y" * 1_000_000, "\r\nend\r\n"), faults=["1,000,000-character line"]),
    Case("a header of 2 MB", [EHLO, MAIL, RCPT, "DATA", "Subject: x\nX-Long: " + "y" * 2_000_000 + "\n\nbody\n."], faults=["2 MB header"]),
    Case("a folded header of 2 MB", [EHLO, MAIL, RCPT, "DATA", "Subject: x\nX-Long: a\n" + (" " + "y" * 98 + "\n") * 20_000 + "\nbody\n."], faults=["2 MB header"]),
    Case("headers of 2 MB", [EHLO, MAIL, RCPT, "DATA", "Subject: x\n" + ("X-Many: " + "y" * 92 + "\n") * 20_000 + "\nbody\n."], faults=["2 MB header"]),
    Case("an endless line", [EHLO, MAIL, RCPT, "DATA", "Subject: x\n\n" + "y" * 5_000_000 + "\n.", *SEND], "small", faults=["endless line"]),
    Case("an endless command", [EHLO, "NOOP " + "x" * 5_000_000, *SEND], "small", faults=["endless line"]),
    Case("an endless header", [EHLO, MAIL, RCPT, "DATA", "Subject: x\n" + ("X-Many: " + "y" * 92 + "\n") * 50_000 + "\nbody\n.", *SEND], "small", faults=["endless header"]),
    Case("an endless folded header", [EHLO, MAIL, RCPT, "DATA", "Subject: x\nX-Long: a\n" + (" " + "y" * 98 + "\n") * 50_000 + "\nbody\n.", *SEND], "small", faults=["endless header"]),
    Case("recipients without end", [EHLO, MAIL, *[("\n".join(f"RCPT TO:<b{n}@test.invalid>" for n in range(at, at + 500)), 500) for at in range(0, 2500, 500)]],
         faults=["50,000 recipients"]),
    Case("bare CRs", [EHLO, MAIL, RCPT, "DATA", b"Subject: x\ry\r\n\r\na\rb\r\r\n\r.\r\r\n.\r\n"], faults=["bare CR"]),
    Case("NULs", [EHLO, MAIL, RCPT, "DATA", b"Subject: x\0y\r\n\r\na\0b\r\n\0.\r\n.\0\r\n.\r\n"], faults=["NUL"]),
]

CASES = [*_HELLO, *_DSN, *_MAIL, *_UTF8, *_SMALL, *_BDAT, *_ETRN, *_XCLIENT, *_TURNS, *_MUCH]
