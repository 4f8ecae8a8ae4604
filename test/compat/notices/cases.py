"""Messages of which the sender, or the postmaster, is told something."""

from __future__ import annotations

from .run import Case

NOSUCH, HERE, FAR, REFUSING, DEAD, ERROR, LATER = "nosuch", "bob", "x@far.test", "x@refusing.test", "x@dead.test", "x@error.test", "x@later.test"
BIG = "Subject: big\n\n" + "0123456789 " * 6 + "\n" + "line after line\n" * 400
HOPS = "".join(f"Received: from host{n}.test by host{n + 1}.test\n" for n in range(60)) + "Subject: hops\n\ntext\n"
LATIN = "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngrüße\n"
ODD = "Subject: odd\nX-Long: " + "y" * 3000 + "\nFrom: someone\n\n.\n..\nFrom here\n" + "z" * 5000 + "\n\n\nend without newline"

ONCE: dict[str, Case] = {
    "unknown": Case([NOSUCH]),
    "unknown-root": Case([NOSUCH], sender=None),
    "refused": Case([REFUSING]),
    "error": Case([ERROR]),
    "several": Case([NOSUCH, REFUSING, ERROR, HERE, FAR, "also+ext", "x@list.test"]),
    "quoted": Case(['"no such"@mx.test.invalid', '"a\\"b"@refusing.test']),
    "alias": Case(["mixed@list.test"]),
    "envid": Case([NOSUCH, REFUSING], ["-V", "env+20id"]),
    "headers": Case([NOSUCH], ["-R", "hdrs"]),
    "full": Case([NOSUCH], ["-R", "full"]),
    "big": Case([NOSUCH], text=BIG),
    "8bit": Case([NOSUCH], ["-B", "8BITMIME"], text=LATIN),
    "7bit-declared": Case([NOSUCH], ["-B", "7BIT"], text=LATIN),
    "odd": Case([NOSUCH], text=ODD),
    "empty": Case([NOSUCH], text=""),
    "hops": Case([HERE], text=HOPS),
    "null-sender": Case([NOSUCH], sender=""),
    "null-sender-big": Case([NOSUCH], sender="", text=BIG),
    "null-sender-headers": Case([NOSUCH], ["-R", "hdrs"], sender=""),
    "double-bounce": Case([NOSUCH], sender="double-bounce@mx.test.invalid"),
    "to-double-bounce": Case(["double-bounce"]),
    "bouncing-sender": Case([NOSUCH], sender="gone@mx.test.invalid"),
    "refused-sender": Case([NOSUCH], sender="gone@refusing.test"),
    "owner": Case([NOSUCH], sender='"odd sender"@mx.test.invalid'),
    "verp": Case([NOSUCH, REFUSING, FAR, "y@far.test", HERE], ["-XV"]),
    "verp-delimiters": Case([NOSUCH, FAR], ["-XV-="]),
    **{f"notify-{notify}-{name}": Case([recipient], ["-N", notify])
       for notify in ("never", "success", "success,failure,delay")
       for name, recipient in (("unknown", NOSUCH), ("refused", REFUSING), ("here", HERE), ("far", FAR), ("alias", "one@list.test"), ("list", "many@list.test"), ("void", "x@void.test"))},
    "success-null-sender": Case([HERE], ["-N", "success"], sender=""),
    "success-double-bounce": Case([HERE], ["-N", "success"], sender="double-bounce@mx.test.invalid"),
    "success-envid": Case([HERE, FAR], ["-N", "success", "-V", "env", "-R", "full"]),
    "success-and-failure": Case([HERE, NOSUCH], ["-N", "success,failure"]),
    "verbose": Case([HERE, FAR, NOSUCH, REFUSING], ["-v"]),
    "verbose-null-sender": Case([HERE], ["-v"], sender=""),
    "verbose-never": Case([HERE, NOSUCH], ["-v", "-N", "never"]),
    "probe": Case([HERE, FAR, NOSUCH, REFUSING, DEAD, ERROR, LATER, "many@list.test", "x@void.test"], ["-bv"], text=""),
}

COPIED = {name: ONCE[name] for name in ("unknown", "refused", "several", "big", "8bit", "7bit-declared", "null-sender", "null-sender-big", "null-sender-headers", "double-bounce",
                                        "bouncing-sender", "verp", "notify-never-unknown", "notify-success-here", "notify-success-unknown", "verbose", "headers", "quoted")}
LIMITED: dict[str, Case] = {
    "small": Case([NOSUCH]),
    "big": Case([NOSUCH], text=BIG),
    "big-full": Case([NOSUCH], ["-R", "full"], text=BIG),
    "null-sender-big": Case([NOSUCH], sender="", text=BIG),
    "hops": Case([HERE], text=HOPS),
    "hops-null-sender": Case([HERE], text=HOPS, sender=""),
    "hops-double-bounce": Case([HERE], text=HOPS, sender="double-bounce@origin.test"),
    "refused-header": Case([HERE, FAR], text="Subject: x\nX-Refuse: yes\n\ntext\n"),
    "refused-header-never": Case([HERE], ["-N", "never"], text="Subject: x\nX-Refuse: yes\n\ntext\n"),
    "refused-header-null-sender": Case([HERE], text="Subject: x\nX-Refuse: yes\n\ntext\n", sender=""),
    "long-line": Case([NOSUCH], text="Subject: x\n\n" + "y" * 1900 + "\n"),
    "sender-without-domain": Case([NOSUCH], sender="alice"),
}
WAITING: dict[str, Case] = {
    "dead": Case([DEAD], waits=1),
    "later": Case([LATER], waits=1),
    "both": Case([DEAD, LATER, HERE, NOSUCH], waits=1),
    "null-sender": Case([DEAD], sender="", waits=1),
    "double-bounce": Case([DEAD], sender="double-bounce@mx.test.invalid", waits=1),
    "never": Case([LATER], ["-N", "never"], waits=1),
    "failure": Case([LATER], ["-N", "failure"], waits=1),
    "wanted": Case([LATER], ["-N", "delay", "-V", "env"], waits=1),
    "wanted-and-not": Case([LATER, DEAD], ["-N", "delay"], waits=1),
    "full": Case([LATER], ["-R", "full"], waits=1),
    "big": Case([LATER], text=BIG, waits=1),
    "verp": Case([LATER, DEAD], ["-XV"], waits=1),
    "verbose": Case([LATER, DEAD, HERE], ["-v"], waits=1),
    "8bit": Case([LATER], ["-B", "8BITMIME"], text=LATIN, waits=1),
    "sender-waits-too": Case([LATER], sender="gone@later.test", waits=2),
}
CLEARED: dict[str, Case] = {
    "delivered": Case([DEAD], waits=1, rises="250"),
    "refused": Case([DEAD], waits=1, rises="550 5.1.1 nobody of that name"),
    "never": Case([DEAD], ["-N", "never"], waits=1, rises="250"),
    "failure": Case([DEAD], ["-N", "failure"], waits=1, rises="250"),
    "delay": Case([DEAD, HERE], ["-N", "delay"], waits=1, rises="250"),
    "success": Case([DEAD, HERE], ["-N", "success"], waits=1, rises="250"),
    "success-and-delay": Case([DEAD], ["-N", "success,delay"], waits=1, rises="250"),
    "verbose": Case([DEAD, HERE], ["-v"], waits=1, rises="250"),
    "null-sender": Case([DEAD], sender="", waits=1, rises="250"),
}
EXPIRING: dict[str, Case] = {
    "dead": Case([DEAD]),
    "later": Case([LATER]),
    "both": Case([DEAD, LATER, HERE, NOSUCH]),
    "null-sender": Case([DEAD], sender=""),
    "double-bounce": Case([DEAD], sender="double-bounce@mx.test.invalid"),
    "never": Case([LATER], ["-N", "never"]),
    "failure": Case([LATER], ["-N", "failure", "-R", "hdrs"]),
    "delay": Case([LATER], ["-N", "delay"]),
    "verp": Case([LATER, DEAD], ["-XV"]),
    "verbose": Case([LATER, HERE], ["-v"]),
}
SOFT: dict[str, Case] = {
    "unknown": Case([NOSUCH], waits=1),
    "refused": Case([REFUSING, HERE], waits=1),
    "error": Case([ERROR], waits=1),
    "probe": Case([NOSUCH], ["-bv"], text=""),
    "verbose": Case([NOSUCH], ["-v"], waits=1),
}
