"""The site whose mail it is: its configuration, tables, users and neighbours."""

from __future__ import annotations

from harness.installed import Installed
from harness.neighbour import FAR, NEAR, SILENT
from harness.system import HOSTNAME

# Next hops on this machine, and what they refuse.
SINKS = {
    2610: {},
    2611: {"RCPT": "450 4.2.1 <x>: Mailbox busy, try later"},
    2612: {"RCPT": "550 5.1.1 <x>: No such user"},
    2613: {"MAIL": "553 5.1.8 Sender not liked"},
    2614: {"DATA": "552 5.2.2 Mailbox full"},
    2615: {"MAIL": "421 4.3.2 Going down"},
    2616: {"DATA": "451 4.3.0 Try again"},
}
DEAD = 2699

ZONE = [
    "far.example. 60 MX 10 mail.far.example.", f"mail.far.example. 60 A {FAR}", f"25.2.0.192.in-addr.arpa. 60 PTR mail.far.example.",
    f"{HOSTNAME}. 60 A {NEAR}", f"client.far.example. 60 A {FAR}",
    "two.example. 60 MX 10 mail2.two.example.", "two.example. 60 MX 20 mail.far.example.", f"mail2.two.example. 60 A {SILENT}",
    "nullmx.example. 60 MX 0 .", "self.example. 60 MX 10 mx.test.invalid.", "noaddress.example. 60 MX 10 nowhere.noaddress.example.",
    "noaddress.example. 60 TXT x", f"aonly.example. 60 A {FAR}", "alias-host.example. 60 CNAME far.example.",
    "refused.example. 60 MX 10 dead.refused.example.", f"dead.refused.example. 60 A {SILENT}", "servfail.example. 60 TXT x",
    "spam.example. 60 A 192.0.2.25", "txtonly.example. 60 TXT nothing", f"sub.aonly.example. 60 A {FAR}",
]
ODD = {"servfail.example.": "servfail"}

MAIN = (
    "mail_name = Postfix",
    "smtpd_forbid_bare_newline = normalize",
    "mydestination = $myhostname, localhost, test.invalid",
    "mynetworks = 127.0.0.0/8",
    "recipient_delimiter = +",
    "alias_maps = hash:/etc/aliases",
    "virtual_alias_domains = alias.example",
    "virtual_alias_maps = hash:/etc/postfix/virtual",
    "virtual_mailbox_domains = boxes.example",
    "virtual_mailbox_maps = hash:/etc/postfix/boxes",
    "virtual_mailbox_base = /var/mail",
    "virtual_uid_maps = static:20003",
    "virtual_gid_maps = static:20003",
    "relay_domains = relay.example, backup.example",
    "relay_recipient_maps = hash:/etc/postfix/relay_recipients",
    "transport_maps = hash:/etc/postfix/transport",
    "sender_canonical_maps = hash:/etc/postfix/sender_canonical",
    "recipient_canonical_maps = hash:/etc/postfix/recipient_canonical",
    "relocated_maps = hash:/etc/postfix/relocated",
    "sender_bcc_maps = hash:/etc/postfix/sender_bcc",
    "recipient_bcc_maps = hash:/etc/postfix/recipient_bcc",
    "sender_dependent_relayhost_maps = hash:/etc/postfix/sender_relay",
    "masquerade_domains = in.test.invalid",
    "header_checks = pcre:/etc/postfix/header_checks",
    "body_checks = pcre:/etc/postfix/body_checks",
    "mime_header_checks = pcre:/etc/postfix/mime_header_checks",
    "message_size_limit = 20000",
    "smtpd_recipient_limit = 12",
    "smtpd_helo_required = yes",
    "smtpd_soft_error_limit = 8",
    "smtpd_hard_error_limit = 9",
    "smtpd_error_sleep_time = 0",
    "smtpd_client_restrictions = check_client_access hash:/etc/postfix/client_access",
    "smtpd_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname,"
    " check_helo_access hash:/etc/postfix/helo_access",
    "smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/sender_access, reject_non_fqdn_sender, permit_mynetworks,"
    " reject_unknown_sender_domain",
    "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination",
    "smtpd_recipient_restrictions = check_recipient_access hash:/etc/postfix/recipient_access, reject_non_fqdn_recipient, permit_mynetworks,"
    " reject_unlisted_recipient, reject_rhsbl_sender bl.test.invalid",
    "smtpd_data_restrictions = check_sender_access hash:/etc/postfix/data_access, reject_unauth_pipelining",
    "smtpd_end_of_data_restrictions = check_sender_access hash:/etc/postfix/end_access",
    "notify_classes =",
    "fast_flush_domains = relay.example",
    "bounce_template_file = /etc/postfix/bounce.cf",
    "bounce_queue_lifetime = 5d",
)
ZONE += ["spam.example.bl.test.invalid. 60 A 127.0.0.2", 'spam.example.bl.test.invalid. 60 TXT "listed for spam"']

TABLES = {
    "virtual": """
        info@alice.invalid alice
        info@alias.example alice
        team@alias.example alice, bob, carol
        both@alias.example alice@test.invalid, friend@far.example
        @catchall.invalid alice
        loop1@alias.example loop2@alias.example
        loop2@alias.example alice
        away@alias.example someone@relay.example
        missing@alias.example nosuch@test.invalid
        sales+hot@alias.example bob
        sales@alias.example carol
        old.name@test.invalid alice@test.invalid
    """,
    "boxes": """
        one@boxes.example one
        two@boxes.example two/
        three@boxes.example three
    """,
    "relay_recipients": """
        someone@relay.example x
        busy@relay.example x
        @backup.example x
    """,
    "transport": """
        relay.example smtp:[127.0.0.1]:2610
        backup.example smtp:[127.0.0.1]:2610
        ok.example smtp:[127.0.0.1]:2610
        busy.example smtp:[127.0.0.1]:2611
        nouser.example smtp:[127.0.0.1]:2612
        nosender.example smtp:[127.0.0.1]:2613
        full.example smtp:[127.0.0.1]:2614
        down.example smtp:[127.0.0.1]:2615
        later.example smtp:[127.0.0.1]:2616
        dead.example smtp:[127.0.0.1]:2699
        error.example error:5.7.1 this domain is closed
        plain-error.example error:closed without a code
        retry.example retry:4.3.2 under repair
        void.example discard:quietly
        unknown-transport.example nosuch:
        special@ok.example error:5.2.1 special is away
        .sub.example smtp:[127.0.0.1]:2610
        lmtp.example lmtp:unix:/nowhere/socket
        local.example local:
    """,
    "sender_canonical": """
        alice@old.invalid alice@test.invalid
        bob+work@test.invalid robert@test.invalid
        @legacy.invalid @test.invalid
    """,
    "recipient_canonical": """
        allie@test.invalid alice@test.invalid
        robert@test.invalid bob@test.invalid
    """,
    "relocated": """
        moved@test.invalid moved@new.example
        left@test.invalid +1 555 0100
    """,
    "sender_bcc": """
        carol@test.invalid alice+sent@test.invalid
    """,
    "recipient_bcc": """
        bob+watched@test.invalid alice+watch@test.invalid
    """,
    "sender_relay": """
        @by-relay.example [127.0.0.1]:2610
    """,
    "client_access": """
        192.0.2.26 REJECT not you
    """,
    "helo_access": """
        bad.helo.example REJECT bad name
        test.invalid 554 5.7.1 that is our name
        later.helo.example DEFER_IF_PERMIT come back
        temporary.helo.example 450 4.7.0 not now
        warn.helo.example WARN odd name
    """,
    "sender_access": """
        rejected@far.example REJECT
        text@far.example REJECT go away
        code@far.example 554 5.7.9 policy of the house
        four@far.example 450 4.7.9 in a while
        defer@far.example DEFER
        defer-text@far.example DEFER later please
        hold@far.example HOLD to be looked at
        discard@far.example DISCARD unwanted
        redirect@far.example REDIRECT carol@test.invalid
        prepend@far.example PREPEND X-Checked: by access
        ok@nowhere-at-all.example OK
        dunno@far.example DUNNO
        info@far.example INFO seen
        warn@far.example WARN odd
        bcc@far.example BCC carol+copy@test.invalid
        banned.example REJECT the whole domain
        .banned.example REJECT and below
        spammer@ REJECT that name
        dsn@far.example 5.7.0 no code
        mailer@far.example 521 5.7.1 closing
        <> DUNNO
        defer-if-reject@far.example DEFER_IF_REJECT maybe
        filter@far.example FILTER smtp:[127.0.0.1]:2610
        strange@far.example STRANGE action
        none@far.example reject_unauth_destination
    """,
    "recipient_access": """
        closed@test.invalid REJECT mailbox closed
        slow@test.invalid 450 4.2.1 slow down
        held@test.invalid HOLD
        gone@test.invalid 550 5.1.6 moved away
        secret@test.invalid 550 5.1.1 User unknown
        abuse@ OK
        postmaster@test.invalid OK
        noext@test.invalid DUNNO
        sent-on@test.invalid REDIRECT bob@test.invalid
        hushed@test.invalid DISCARD
    """,
    "data_access": """
        at-data@far.example REJECT at data
        at-data-4@far.example 451 4.7.1 at data, later
    """,
    "end_access": """
        at-end@far.example REJECT at the end
        at-end-4@far.example DEFER at the end
        at-end-hold@far.example HOLD at the end
    """,
}

CHECKS = {
    "header_checks": r"""
        /^Subject: reject me/ REJECT
        /^Subject: reject text/ REJECT bad subject
        /^Subject: reject dsn/ REJECT 5.7.0 bad subject by code
        /^Subject: reject later/ REJECT 4.7.0 later
        /^Subject: reject code/ REJECT 554 5.7.3 with a code
        /^Subject: discard me/ DISCARD thrown away
        /^Subject: hold me/ HOLD for a look
        /^Subject: redirect me/ REDIRECT carol@test.invalid
        /^Subject: warn me/ WARN odd subject
        /^Subject: info me/ INFO noted
        /^Subject: replace me (.*)/ REPLACE Subject: replaced $1
        /^Subject: prepend me/ PREPEND X-Before: here
        /^Subject: bcc me/ BCC carol+bcc@test.invalid
        /^Subject: filter me/ FILTER smtp:[127.0.0.1]:2610
        /^Subject: filter dead/ FILTER smtp:[127.0.0.1]:2699
        /^Subject: dunno me/ DUNNO
        /^Subject: dunno/ REJECT after dunno
        /^X-Ignore:/ IGNORE
        /^X-Strip:/ STRIP stripped it
        /^X-Bad-Action:/ NONSENSE
        /^Resent-Subject: reject/ REJECT resent
    """,
    "mime_header_checks": r"""
        /name="?[^"]*\.exe/ REJECT no programs
        /^Content-Type: application\/x-hold/ HOLD
    """,
    "body_checks": r"""
        /^reject this body/ REJECT bad words
        /^hold this body/ HOLD body
        /^discard this body/ DISCARD body
        /^ignore this line/ IGNORE
        /^replace this line/ REPLACE another line
        /^prepend this line/ PREPEND before it
        /^warn of this line/ WARN line
        /^redirect this body/ REDIRECT carol@test.invalid
        /^info of this line/ INFO line
    """,
}

ALIASES = """
    postmaster: root
    root: alice
    abuse: postmaster
    mailer-daemon: postmaster
    staff: alice, bob
    nested: staff, carol
    outlist: friend@far.example, someone@relay.example
    owned: alice, nosuch-member@test.invalid
    owner-owned: carol
    included: :include:/etc/postfix/members
    ring1: ring2
    ring2: ring1
    self: self
    command: "|cat >/var/mail/by-command"
    failing: "|echo broken; exit 1"
    unavailable: "|exit 75"
    nouser-command: "|exit 67"
    file: /var/mail/by-file
    quoted: "alice"
    badlist: alice, nosuchalias
    rolled: bob+rolled
    empty-include: :include:/etc/postfix/nosuchfile
    error: :nosuch:
    escaped: \\alice
    remote-dead: someone@dead.example
    mixed: alice, someone@nouser.example
    closed-list: someone@error.example
"""

# The texts that people read are each system's own; here they shall be equal.
BOUNCE = "\n".join(f"""
{kind}_template = <<EOF
Charset: us-ascii
From: MAILER-DAEMON (Mail Delivery System)
Subject: {subject}
{copy}
This is $myhostname.
EOF
""" for kind, subject, copy in (("failure", "Undelivered Mail Returned to Sender", "Postmaster-Subject: Copy\n"),
                                ("delay", "Delayed Mail (still being retried)", "Postmaster-Subject: Copy\n"),
                                ("success", "Successful Mail Delivery Report", ""), ("verify", "Mail Delivery Status Report", "")))

PREPARE = r"""
for table in $1; do postmap "hash:/etc/postfix/$table"; done
postalias hash:/etc/aliases
chmod 1777 /var/mail
rm -f /home/*/.forward
printf 'alice\n\\carol\n' >/home/carol/.forward
printf 'friend@far.example\n' >/home/dave/.forward
chown carol /home/carol/.forward
chown dave /home/dave/.forward
"""


def _lines(text: str) -> str:
    return "".join(line.strip() + "\n" for line in text.strip().splitlines())


def prepare(system: Installed) -> None:
    system.configure(MAIN)
    system.write_configuration()
    for name, text in {**TABLES, **CHECKS}.items():
        system.room.write(f"/etc/postfix/{name}", _lines(text))
    system.room.write("/etc/postfix/bounce.cf", BOUNCE)
    system.room.write("/etc/postfix/members", "alice\ncarol+member\n# nobody else\n")
    system.room.write("/etc/aliases", _lines(ALIASES))
    system.room.shell("echo dave:x:20004:20004::/home/dave:/bin/sh >>/etc/passwd; echo dave:x:20004: >>/etc/group; mkdir -p /home/dave; chown dave: /home/dave")
    system.run(["sh", "-ec", PREPARE, "prepare", " ".join(TABLES)])
