"""The table: what local(8) and virtual(8) do with one message each."""

from dataclasses import replace

from .run import Case, Group

FORWARD = "f() { printf '%s\\n' \"$1\" >$H/.forward; chown $U: $H/.forward; chmod ${2-644} $H/.forward; }; "
BOX = "cat /var/mail/$U"
OWNER = "cd $H && find . -mindepth 1 ! -name '.bash*' ! -name .profile -printf '%P %m %u %g %y\\n' | sort"

ALIASES = (
    Case("loop", ["aN"], aliases=["aN: bN", "bN: aN"]),
    Case("self", ["uN"], aliases=["uN: uN, alice"], show=BOX),
    Case("unknown self", ["aN"], aliases=["aN: bN", "bN: bN, uN"]),
    Case("nested", ["aN"], aliases=["aN: uN, bN", "bN: alice"], show=BOX),
    Case("no such user in it", ["aN"], aliases=["aN: nosuchN"]),
    Case("owner", ["aN"], aliases=["aN: uN, alice", "owner-aN: sink-own"], show=BOX),
    Case("owner below", ["aN"], aliases=["aN: uN, bN", "bN: alice", "owner-bN: sink-own"]),
    Case("mail for the owner", ["owner-aN"], aliases=["aN: alice", "owner-aN: uN"]),
    Case("escaped", ["aN"], aliases=["aN: \\uN"]),
    Case("phrases and comments", ["aN"], aliases=["aN: <uN>, Some One <alice@mx.test.invalid>, (c) bob, carol (c2)"]),
    Case("group", ["aN"], aliases=["aN: Group: uN, alice;, bob"]),
    Case("words", ["aN"], aliases=["aN: uN alice@mx.test.invalid"]),
    Case("quoted name", ["aN"], aliases=["aN: \"quoted nameN\"@mx.test.invalid"]),
    Case("bad address", ["aN"], aliases=["aN: uN, @@"]),
    Case("comma, quotes and @ in quotes", ["aN"], aliases=['aN: "|/bin/echo a@b.c, x", "|echo second, \\\"quoted\\\" it; exit 1"']),
    Case("words of a command without quotes", ["aN"], aliases=["aN: |echo uN"]),
    Case("elsewhere here", ["aN"], aliases=['aN: uN@localhost, "|echo $RECIPIENT $DOMAIN; exit 1"']),
    Case("loop below", ["aN"], text="Delivered-To: bN@mx.test.invalid\n\nx\n", aliases=["aN: bN", "bN: uN"]),
    Case("command of a list", ["aN"], aliases=['aN: "|cat; echo $SENDER $ORIGINAL_RECIPIENT; exit 1"', "owner-aN: uN"],
         show=BOX + " | grep -E '^(To|X-Orig)'", free=r"id ID;.*Message-Id: .*"),
    Case("nested lists", ["aN"], aliases=["aN: bN", "owner-aN: sink-o1", "bN: uN", "owner-bN: sink-o2"], show=BOX),
    Case("user and extension of it", ["aN"], aliases=["aN: uN, uN@localhost, UN"], show="grep -c ^From /var/mail/$U"),
    Case("trying a list", ["aN"], options=["-bv"], aliases=['aN: uN, x@remote.invalid, /dev/null, "|true", nosuchN']),
    Case("diagnostics", ["aN"], aliases=['aN: "|exit 67", "|exit 200", "|echo 5.1.9 o; exit 1", "|echo x; exit 3"', "owner-aN: uN"],
         show="grep -h ^Diag /var/mail/$U | sort"),
    Case("no group", ["aN"], aliases=["aN: uN, :nosuchN:"]),
    Case("the same ends again", ["aN"], aliases=['aN: "|exit 0", /dev/null, "|exit 0", bN', 'bN: "|exit 0", /dev/null']),
    Case("twice the same", ["aN"], aliases=["aN: uN, uN, uN@MX.test.invalid, bN", "bN: uN"]),
    Case("far away", ["aN"], aliases=["aN: x@remote.invalid, y@remote.invalid"]),
    Case("required", ["mailer-daemon"]),
    Case("capital letters", ["A-N"], aliases=["a-N: uN"], show=BOX),
    Case("none", ["uN"], show=BOX),
    Case("two at once", ["uN", "uN@localhost"], show=f"grep -c '^From ' /var/mail/$U"),
    Case("user is no local part", ["nosuch/N"]),
    Case("From_ lines", ["uN"], text="Subject: x\n\nFrom me\n>From me\nFrom\n\nFrom x", show=BOX),
    Case("no line end", ["uN"], text="Subject: x\n\nno end", show=BOX),
)

REPORTED = "grep -hE '^(Final|Original-R|Action|Status|Diag)' /var/mail/$U | sort"
REPORTS = (
    Case("alias", ["aN"], options=["-N", "success"], aliases=["aN: bob, bN, x@remote.invalid", "bN: carol"]),
    Case("list", ["aN"], options=["-N", "success,failure"], aliases=["aN: bob, alice", "owner-aN: bob"]),
    Case("forward", setup=FORWARD + 'f "\\\\$U, bob"', options=["-N", "success"]),
    Case("failures nobody asked for", ["aN"], options=["-N", "success"], aliases=['aN: "|exit 67", nosuchN, bob']),
    Case("failures too", ["aN"], options=["-N", "success,failure"], aliases=['aN: "|exit 67", bob']),
    Case("none", options=["-N", "never"]),
)
REPORTS = tuple(replace(case, sender="uN@mx.test.invalid", show=REPORTED) for case in REPORTS)

FILES = (
    Case("mbox", ["aN"], "chmod 777 $H", aliases=["aN: /home/uN/box"], show=f"{OWNER}; cat $H/box"),
    Case("Maildir", ["aN"], "chmod 777 $H", aliases=["aN: /home/uN/dir/"], show=f"{OWNER}; cat $H/dir/new/*"),
    Case("no such folder", ["aN"], aliases=["aN: /nonexistent/x"]),
    Case("Maildir in no folder", ["aN"], aliases=["aN: /nonexistent/x/"]),
    Case("not allowed", ["aN"], aliases=["aN: /root/x"]),
    Case("device", ["aN"], aliases=["aN: /dev/null"]),
    Case("folder", ["aN"], "mkdir $H/d; chmod 777 $H/d", aliases=["aN: /home/uN/d"]),
    Case("link", ["aN"], "touch $H/t; ln -s t $H/l; chown -h $U $H/t $H/l", aliases=["aN: /home/uN/l"], show=OWNER),
    Case("two names", ["aN"], "touch $H/t; chmod 666 $H/t; ln $H/t $H/l", aliases=["aN: /home/uN/l"], show=OWNER),
    Case("somebody else's", ["aN"], "touch $H/t; chown $U $H/t; chmod 666 $H/t; chmod 777 $H", aliases=["aN: /home/uN/t"], show=OWNER),
    Case("lock taken", ["aN"], "touch $H/t.lock; chmod 777 $H", aliases=["aN: /home/uN/t"], show=OWNER),
    Case("the user's own", setup=FORWARD + 'f "/home/$U/box, \\"/home/$U/other box\\", $H/dir/"', show=f"{OWNER}; cat $H/box"),
    Case("the user's, not writable", setup=FORWARD + 'touch $H/box; chown $U $H/box; chmod 400 $H/box; f "$H/box"', show=OWNER),
)

COMMANDS = (
    Case("true", ["aN"], aliases=['aN: "|cat >/dev/null; exit 0"', "bN: |/bin/true"]),
    Case("plain", ["aN"], aliases=["aN: |/bin/true"]),
    Case("reads nothing", ["aN"], aliases=["aN: |/bin/true"], text="x" * 900000),
    Case("status 1", ["aN"], aliases=['aN: "|/bin/false"']),
    Case("output", ["aN"], aliases=['aN: "|echo hello; echo world; exit 75"']),
    Case("code in the output", ["aN"], aliases=['aN: "|echo 5.7.9 go away; exit 1"']),
    Case("lesser code in the output", ["aN"], aliases=['aN: "|echo 4.7.9 go away; exit 1"']),
    Case("good code in the output", ["aN"], aliases=['aN: "|echo 2.7.9 go away; exit 1"']),
    Case("code and success", ["aN"], aliases=['aN: "|echo 5.7.9 go away"']),
    Case("code with 75", ["aN"], aliases=['aN: "|echo 5.7.9 go away; exit 75"']),
    Case("code alone", ["aN"], aliases=['aN: "|echo 5.7.9; exit 75"']),
    Case("signal", ["aN"], aliases=['aN: "|kill -9 $$"']),
    Case("signal of the user", ["aN"], aliases=['aN: "|echo oops; kill -15 $$"']),
    Case("missing", ["aN"], aliases=['aN: "|/nonexistent/prog"'], free=r"local: fatal: .*|\(temporary failure.*|\[\d+\]"),
    Case("missing word", ["aN"], aliases=['aN: "|nonexistent-prog"']),
    Case("missing word, shell", ["aN"], aliases=['aN: "|nonexistent-prog >/dev/null"']),
    Case("much output", ["aN"], aliases=['aN: "|yes quite long | head -c 100000; exit 1"']),
    Case("strange output", ["aN"], aliases=[r'''aN: "|printf 'a\001b\303\251c\377d\r\ne\tf'; exit 1"''']),
    Case("too long", ["aN"], aliases=['aN: "|exec sleep 60"']),
    Case("too long, with output", ["aN"], aliases=['aN: "|echo slow; sleep 60; exit 0"']),
    Case("output closed, then too long", ["aN"], aliases=['aN: "|exec >/dev/null 2>&1; exec sleep 60"']),
    Case("background child", ["aN"], aliases=['aN: "|sleep 1 & exit 0"']),
    Case("identity", setup=FORWARD + 'f "\\"|(id; umask; pwd; cat >/dev/null; ls /proc/self/fd) >\\$HOME/out 2>&1\\""', show="cat $H/out"),
    Case("input", setup=FORWARD + "f '\"|cat >$HOME/out\"'", text="Subject: x\n\nFrom me\n", show="cat $H/out"),
    Case("environment", setup=FORWARD + "f '\"|env >$HOME/out\"'", show="sort $H/out | grep -v ^_="),
    Case("own group", setup=FORWARD + "f '\"|ps -o pgid,sid,pid,ppid= -p $$ >$HOME/out\"'", show="awk 'NR==2 {print ($1 == $3), ($2 == $3)}' $H/out"),
    Case("as nobody", ["aN"], "chmod 777 $H", aliases=['aN: "|id >/home/uN/out"'], show="cat $H/out"),
    Case("root's", ["aN"], aliases=["aN: root"]),
    Case("statuses", ["aN"], aliases=["aN: " + ", ".join(f'"|exit {n}"' for n in (64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 76, 77, 78, 79, 126, 127, 255))]),
    Case("strange letters", ["aN"], aliases=['aN: "|echo a\tb; exit 1"']),
)

LISTS = (
    Case("included", ["aN"], "echo 'alice, bob' >$H/list; echo 'x@remote.invalid (c)' >>$H/list; echo '# no' >>$H/list", aliases=["aN: :include:/home/uN/list"]),
    Case("missing", ["aN"], aliases=["aN: :include:/home/uN/list"]),
    Case("relative", ["aN"], aliases=["aN: :include:x"]),
    Case("restricted", ["aN"], "echo '/dev/null, |true' >$H/list", aliases=["aN: :include:/home/uN/list"]),
    Case("includes itself", ["aN"], "echo \"alice, :include:$H/list\" >$H/list", aliases=["aN: :include:/home/uN/list"]),
    Case("folder", ["aN"], "mkdir $H/list", aliases=["aN: :include:/home/uN/list"]),
    Case("root's alone", ["aN"], "echo alice >/root/list$N; chmod 600 /root/list$N", aliases=["aN: :include:/root/listN"]),
    Case("not readable", ["aN"], "echo alice >$H/list; chown $U $H/list; chmod 000 $H/list", aliases=["aN: :include:/home/uN/list"]),
    Case("writable", ["aN"], "echo alice >$H/list; chmod 666 $H/list", aliases=["aN: :include:/home/uN/list"]),
    Case("owner", ["aN"], "echo 'alice, uN' | sed s/N/$N/ >$H/list", aliases=["aN: :include:/home/uN/list", "owner-aN: sink-own"]),
    Case("the user's", setup=FORWARD + "f :include:$H/list; echo 'alice, bob' >$H/list"),
    Case("the user's, others'", setup=FORWARD + "f :include:/root/x"),
)

FORWARDS = (
    Case("elsewhere", setup=FORWARD + "f alice"),
    Case("copy", setup=FORWARD + 'f "\\\\$U, alice"', show=BOX),
    Case("itself", setup=FORWARD + 'f "$U, alice"'),
    Case("itself with an extension", setup=FORWARD + 'f "$U+x, alice"'),
    Case("with aliases", setup=FORWARD + 'f "$U, bob"', aliases=["uN: uN, alice"]),
    Case("below an alias", ["aN"], FORWARD + 'f "$U, bob"', aliases=["aN: uN, alice"], show=BOX),
    Case("group may write", setup=FORWARD + "f alice 664"),
    Case("all may write", setup=FORWARD + "f alice 646"),
    Case("folder all may write to", setup=FORWARD + "f alice; chmod 777 $H"),
    Case("another's", setup=FORWARD + "f alice; chown carol $H/.forward"),
    Case("root's", setup=FORWARD + "f alice; chown root $H/.forward"),
    Case("no right", setup=FORWARD + "f alice 000"),
    Case("home closed", setup=FORWARD + "f alice; chown root $H; chmod 700 $H"),
    Case("home another's", setup=FORWARD + "f alice; chown carol $H; chmod 755 $H"),
    Case("empty", setup=FORWARD + "f ''"),
    Case("comment", setup=FORWARD + "f '# nothing'"),
    Case("folder", setup="mkdir $H/.forward"),
    Case("link", setup=FORWARD + "f alice; mv $H/.forward $H/x; ln -s x $H/.forward; chown -h $U $H/.forward"),
    Case("pipe", setup="mkfifo $H/.forward; chown $U $H/.forward"),
    Case("no home", setup="rm -rf $H"),
    Case("lines", setup=FORWARD + "f 'alice\nbob\n  carol'"),
    Case("circle", setup=FORWARD + 'f a$N', aliases=["aN: uN, alice"]),
    Case("already delivered", setup="", text="Delivered-To: uN@mx.test.invalid\nSubject: x\n\nx\n"),
    Case("extension", ["uN+ext"], FORWARD + "f alice; echo bob >$H/.forward+ext; chown $U $H/.forward+ext"),
    Case("no such extension", ["uN+no"], FORWARD + "f alice"),
    Case("extension of nobody", ["nosuchN+ext"]),
    Case("extension, mailbox", ["uN+ext"], show=BOX),
    Case("extension, command", ["uN+e*x"], FORWARD + "f '\"|env >$HOME/out\"'", show="sort $H/out | grep -v ^_="),
    Case("alias with extension", ["aN+ext"], aliases=["aN: uN"], show=BOX),
    Case("alias of an extension", ["aN+ext"], aliases=["aN+ext: alice", "aN: uN"]),
    Case("owner and extension", ["owner-aN+ext"], aliases=["owner-aN: uN"]),
    Case("a far copy", setup=FORWARD + 'f "\\\\$U, x@remote.invalid"'),
    Case("part fails", setup=FORWARD + 'f "alice, \\"|exit 75\\""'),
    Case("part bounces", setup=FORWARD + 'f "alice, \\"|exit 67\\""'),
    Case("mailbox twice", ["aN"], aliases=["aN: \\\\uN, uN"], show="grep -c '^From ' /var/mail/$U"),
)

MAILBOXES = (
    Case("new", show="stat -c '%a %U %G' /var/mail/$U; ls /var/mail | grep $U"),
    Case("there", setup="printf 'From x\\n\\nold\\n' >/var/mail/$U; chown $U: /var/mail/$U; chmod 640 /var/mail/$U", show=f"stat -c '%a %U %G' /var/mail/$U; {BOX}"),
    Case("another's", setup="touch /var/mail/$U; chown carol /var/mail/$U; chmod 666 /var/mail/$U"),
    Case("another's, closed", setup="touch /var/mail/$U; chown carol /var/mail/$U; chmod 600 /var/mail/$U"),
    Case("link", setup="touch $H/box; chown $U $H/box; ln -s $H/box /var/mail/$U", show=OWNER),
    Case("own link", setup="touch $H/box; chown $U $H/box; ln -s $H/box /var/mail/$U; chown -h $U /var/mail/$U", show=OWNER),
    Case("two names", setup="touch /var/mail/$U; chown $U /var/mail/$U; ln /var/mail/$U /var/mail/two$N", show="stat -c %s /var/mail/$U"),
    Case("folder", setup="mkdir /var/mail/$U; chown $U /var/mail/$U"),
    Case("pipe", setup="mkfifo /var/mail/$U; chown $U /var/mail/$U"),
    Case("device", setup="ln -s /dev/null /var/mail/$U"),
    Case("lock taken", setup="touch /var/mail/$U.lock"),
    Case("old lock", setup="touch /var/mail/$U.lock; sleep 4", show="ls /var/mail | grep $U"),
    Case("lock is a folder", setup="mkdir /var/mail/$U.lock"),
    Case("over the limit", setup="head -c 70000 /dev/zero >/var/mail/$U; chown $U /var/mail/$U", show="stat -c %s /var/mail/$U"),
    Case("passes the limit", setup="head -c 60000 /dev/zero >/var/mail/$U; chown $U /var/mail/$U", text="x\n" * 5000, show="stat -c %s /var/mail/$U"),
    Case("unfinished", setup="printf 'From x\\n\\nhalf a li' >/var/mail/$U; chown $U: /var/mail/$U", show=BOX),
)

LIMITED = ("mailbox_size_limit = 65536", "message_size_limit = 60000", "stale_lock_time = 3s", "virtual_mailbox_limit = 65536")

HOME = (
    Case("file", show=f"{OWNER}; cat $H/box"),
    Case("no home", setup="rm -rf $H"),
    Case("home closed", setup="chown root $H; chmod 700 $H"),
    Case("folder", setup="mkdir $H/box; chown $U $H/box"),
    Case("link", setup="touch $H/t; chown $U $H/t; ln -s t $H/box; chown -h $U $H/box", show=OWNER),
    Case("to nowhere", setup="ln -s nowhere $H/box; chown -h $U $H/box", show=OWNER),
    Case("lock", setup="touch $H/box.lock"),
    Case("no right for a lock", setup="touch $H/box; chown $U $H/box; chown root $H; chmod 755 $H", show=OWNER),
)

MAILDIR = (
    Case("new", show=f"{OWNER} | sed -E 's/new.[0-9].*/MSG/'; cat $H/Maildir/new/*"),
    Case("extension", ["uN+x"], show=f"{OWNER} | sed -E 's/new.[0-9].*/MSG/'; cat $H/Maildir/new/*"),
    Case("no home", setup="rm -rf $H"),
    Case("home closed", setup="chown root $H; chmod 700 $H"),
    Case("a file in its place", setup="touch $H/Maildir; chown $U $H/Maildir"),
    Case("another's", setup="mkdir -p $H/Maildir/tmp $H/Maildir/new $H/Maildir/cur; chown -R carol $H/Maildir"),
    Case("a part is missing", setup="mkdir -p $H/Maildir/tmp; chown -R $U $H/Maildir", show=f"{OWNER} | sed -E 's/new.[0-9].*/MSG/'"),
)

MAILBOX_COMMAND = (
    Case("args", show="cat $H/out"),
    Case("args with extension", ["uN+e'x;t"], show="cat $H/out"),
    Case("no home", setup="rm -rf $H"),
    Case("root", ["root"]),
    Case("below an alias", ["aN"], aliases=["aN: uN"], show="cat $H/out"),
    Case("twice", ["aN"], aliases=["aN: uN, uN+x"]),
)

VIRTUAL_MAIN = (
    "virtual_mailbox_base = /home", "virtual_mailbox_maps = texthash:/etc/vbox", "virtual_uid_maps = texthash:/etc/vid",
    "virtual_gid_maps = texthash:/etc/vid", "virtual_mailbox_limit = 65536", "message_size_limit = 60000", "recipient_delimiter = +",
)
VIRTUAL = (
    Case("box", ["uN@v.test.invalid"], show=f"{OWNER}; cat $H/box"),
    Case("Maildir", ["dN@v.test.invalid"], show=f"{OWNER} | sed -E 's/new.[0-9].*/MSG/'; cat $H/dir/new/*"),
    Case("extension", ["uN+x@v.test.invalid"], show=f"{OWNER}; cat $H/box"),
    Case("unknown", ["xN@v.test.invalid"]),
    Case("uid 0", ["root@v.test.invalid"]),
    Case("uid too small", ["low@v.test.invalid"]),
    Case("no uid", ["none@v.test.invalid"]),
    Case("uid is no number", ["letters@v.test.invalid"]),
    Case("no folder", ["uN@v.test.invalid"], "rm -rf $H"),
    Case("no folder, Maildir", ["dN@v.test.invalid"], "rm -rf $H"),
    Case("folder closed", ["uN@v.test.invalid"], "chown root $H; chmod 700 $H"),
    Case("folder closed, Maildir", ["dN@v.test.invalid"], "chown root $H; chmod 700 $H"),
    Case("folder in its place", ["uN@v.test.invalid"], "mkdir $H/box"),
    Case("file in its place", ["dN@v.test.invalid"], "touch $H/dir"),
    Case("link", ["uN@v.test.invalid"], "touch $H/t; chown $U $H/t; ln -s t $H/box; chown -h $U $H/box", show=OWNER),
    Case("two names", ["uN@v.test.invalid"], "touch $H/t; chown $U $H/t; ln $H/t $H/box", show=OWNER),
    Case("another's", ["uN@v.test.invalid"], "touch $H/box; chown carol $H/box; chmod 666 $H/box", show=OWNER),
    Case("lock taken", ["uN@v.test.invalid"], "touch $H/box.lock"),
    Case("over the limit", ["uN@v.test.invalid"], "head -c 70000 /dev/zero >$H/box; chown $U $H/box", show="stat -c %s $H/box"),
    Case("passes the limit", ["uN@v.test.invalid"], "head -c 60000 /dev/zero >$H/box; chown $U $H/box", text="x\n" * 5000, show="stat -c %s $H/box"),
)

GROUPS = (
    Group("virtual", VIRTUAL_MAIN, VIRTUAL),
    Group("alias", (), ALIASES),
    Group("mailbox", LIMITED, MAILBOXES),
    Group("home", ("home_mailbox = box",), HOME),
    Group("maildir", ("home_mailbox = Maildir/", "recipient_delimiter = +", *LIMITED), MAILDIR),
    Group("no spool", ("mail_spool_directory = /nonexistent",), (Case("box"),)),
    Group("spool of Maildirs", ("mail_spool_directory = /home/md/",), (Case("box", setup="mkdir -p /home/md; chmod 1777 /home/md", show="cat /home/md/$U/new/*"),)),
    Group("fallback", ("fallback_transport = discard:x",), (Case("unknown", ["nosuchN"]), Case("known"), Case("forward", ["aN"], aliases=["aN: nosuchN, alice"]))),
    Group("transport", ("mailbox_transport = discard:x",), (Case("known"), Case("unknown", ["nosuchN"]))),
    Group("loose", ("strict_mailbox_ownership = no",), (
        Case("another's", setup="touch /var/mail/$U; chown carol /var/mail/$U; chmod 666 /var/mail/$U", show=BOX),)),
    Group("owners", (), (
        Case("owner of the inner is the outer's", ["aN"], aliases=["aN: bN", "owner-aN: sink-o1", "bN: uN", "owner-bN: sink-o2"]),
    )),
    Group("report", (), REPORTS),
    Group("file", (), FILES),
    Group("command", ("command_time_limit = 3s",), COMMANDS),
    Group("list", (), LISTS),
    Group("forward", ("recipient_delimiter = +",), FORWARDS),
    Group("required home", ("require_home_directory = yes",), (Case("no home", setup="rm -rf $H"), Case("home"), Case("home is a file", setup="rm -rf $H; touch $H"))),
    Group("mailbox_command", (f'mailbox_command = env >"$HOME/out"; echo "$EXTENSION" "$DOMAIN" $LOCAL', "recipient_delimiter = +", "export_environment = TZ LANG=x FOO=bar"), MAILBOX_COMMAND),
    Group("mailbox_command_maps", ("mailbox_command_maps = regexp:{{/u[0-9]+[+]x/ echo x; exit 66} {/[3579]$$/ exit 65}}", "mailbox_command = exit 67", "recipient_delimiter = +"),
          (Case("one"), Case("two"), Case("three", ["uN+x"]))),
    Group("shell", ("mailbox_command = exit 3", "local_command_shell = /bin/sh -x -c"), (Case("all"),)),
    Group("directory", ("command_execution_directory = $home", "mailbox_command = pwd; exit 1"), (
        Case("home"), Case("none", setup="rm -rf $H", free="fatal|warning"), Case("closed", setup="chown root $H; chmod 700 $H", free="fatal|warning"))),
    Group("luser", ("luser_relay = alice+$user@mx.test.invalid", "recipient_delimiter = +"), (Case("unknown", ["nosuchN"]), Case("known"), Case("extension", ["nosuchN+e"]))),
    Group("luser unknown", ("luser_relay = nosuch@mx.test.invalid",), (Case("unknown", ["nosuchN"]), Case("required", ["postmaster"]))),
    Group("luser far", ("luser_relay = $local@remote.invalid",), (Case("unknown", ["nosuchN"]),)),
    Group("fallback maps", ("fallback_transport_maps = inline:{{nosuch=error:5.9.9 foo}}", "fallback_transport = discard:x"), (Case("unknown", ["nosuch"]), Case("another", ["nosuchN"]))),
    Group("transport maps", ("mailbox_transport_maps = inline:{{alice=discard:x}}", "mailbox_transport = error:5.9.8 no"), (Case("alice", ["alice"]), Case("another"))),
    Group("no Delivered-To", ("prepend_delivered_header =",), (Case("file", show=BOX), Case("forward", setup=FORWARD + "f carol", show="tail -12 /var/mail/carol"), Case("command", setup=FORWARD + "f '\"|cat >$HOME/out\"'", show="cat $H/out"))),
    Group("thawed", ("frozen_delivered_to = no",), (Case("alias", ["aN"], aliases=["aN: uN"], show=BOX), Case("forward", ["aN"], FORWARD + "f carol", aliases=["aN: uN"], show="tail -14 /var/mail/carol"))),
    Group("owner expanded", ("expand_owner_alias = yes",), (
        Case("owner", ["aN"], aliases=["aN: uN", "owner-aN: sink-x"], show=BOX), Case("owner is a list", ["aN"], aliases=["aN: uN", "owner-aN: sink-x, sink-y"], show=BOX))),
    Group("owner plain", ("owner_request_special = no",), (Case("owner", ["aN"], aliases=["aN: uN", "owner-aN: sink-x"], show=BOX),)),
    Group("owner reset", ("reset_owner_alias = yes",), (Case("inner", ["aN"], aliases=["aN: bN", "owner-aN: sink-x", "bN: uN, alice"]),)),
    Group("propagate", ("propagate_unmatched_extensions = alias, forward, include", "recipient_delimiter = +"), (
        Case("alias", ["aN+ext"], aliases=["aN: uN, uN+own"], show=BOX),
        Case("forward", ["uN+ext"], FORWARD + "f alice"),
        Case("include", ["aN+ext"], "echo alice >$H/list", aliases=["aN: :include:/home/uN/list"]))),
    Group("allowed", ("allow_mail_to_commands = alias, include", "allow_mail_to_files = include"), (
        Case("alias file", ["aN"], aliases=["aN: /dev/null"]), Case("alias command", ["aN"], aliases=["aN: |true"]),
        Case("include", ["aN"], "echo '/dev/null, |true' >$H/list", aliases=["aN: :include:/home/uN/list"]),
        Case("include of a user", ["aN"], "echo \"$H/box, \\\"|id >$H/out\\\"\" >$H/list; chown -R $U $H", aliases=["aN: :include:/home/uN/list"], show=f"{OWNER}; cat $H/out"),
        Case("forward", setup=FORWARD + 'f "$H/box, |true"'))),
    Group("loose files", ("strict_mailbox_ownership = no",), (
        Case("another's file", ["aN"], "touch $H/t; chown $U $H/t; chmod 666 $H/t; chmod 777 $H", aliases=["aN: /home/uN/t"], show="cat $H/t"),)),
)
