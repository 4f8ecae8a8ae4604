"""postmap does with owners, modes and increments what Debian's does."""

from __future__ import annotations

import re

import pytest

from harness import paths
from harness.oracle import Postfix

SCRIPT = r"""
postmap=$1; cd "$(mktemp -d)"; chmod 755 .; mkdir own; chown alice own
for mode in 640 600 644; do
    printf 'a 1\nB 2\n' > own/m$mode; chown alice own/m$mode; chmod $mode own/m$mode
    $postmap hash:$PWD/own/m$mode; stat -c '%n %a %U' own/m$mode.db
done
printf 'k v\n' > root; chmod 600 root; $postmap hash:$PWD/root; stat -c '%n %a %U' root.db
# The owner may not write here: nothing is made, least of all for everybody to read.
printf 'k v\n' > foreign; chown alice foreign; chmod 600 foreign
$postmap hash:$PWD/foreign 2>&1 | sed "s,$PWD,DIR,g"; [ -e foreign.db ] && echo made
# -i reads standard input, so a deleted key stays deleted.
printf 'new 9\n' | $postmap -i hash:$PWD/root; $postmap -d k hash:$PWD/root; printf 'z 1\n' | $postmap -i hash:$PWD/root
$postmap -q k hash:$PWD/root; echo "status $?"; $postmap -s hash:$PWD/root | sort
$postmap -q B hash:$PWD/own/m644; printf 'a\nzz\nb\n' | $postmap -q - hash:$PWD/own/m644; echo "status $?"
"""


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.needs_program("sbin/postmap")
def test_owner_mode_and_increment() -> None:
    with Postfix() as system:
        system.start()
        debians, ours = (system.run(["sh", "-c", SCRIPT, "sh", str(program)]).stdout
                         for program in ("postmap", paths.build_root() / "sbin/postmap"))
    assert "own/m640.db 640 alice" in debians and "status 1" in debians
    assert ours == debians


MESSAGE = r"""printf 'From: a@b\nSubject: x y\nTo: me,\n you\nMime-Version: 1.0\nContent-Type: multipart/mixed; boundary=zz\n\nbody line\nSubject: no\n\n--zz\nSubject: part\n\nbody of a part\n--zz--\n' >h
printf '/^Subject/ S\n/^From: (.*)/ F $1\n/body/ B\n/^To/ T\n/^-/ M\n' >r; """

# One line each, run in a folder of its own with $postmap and $postalias; what it writes, and its status, must be Debian's.
CASES = [
    # Texts.
    r"""printf 'a b\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a  b  c \n\n# x\n  # y\nd\te\n f\n' >m; $postmap hash:m; $postmap -s hash:m | sort""",
    r"""printf 'a\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a \n' >m; $postmap hash:m""",
    r"""printf 'a: b\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a : b\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf '"a b" c\n' >m; $postmap hash:m; $postmap -s hash:m; $postmap -q '"a b"' hash:m; $postmap -q 'a b' hash:m""",
    r"""printf '"a b c\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf '"a b"c d\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf '"a\\"b" c\n"x\\\\" y\n' >m; $postmap hash:m; $postmap -s hash:m | sort""",
    r"""printf '"a" c\na d\n' >m; $postmap hash:m; $postmap -s hash:m | sort""",
    r"""printf '"" c\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a b\nA c\na d\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a b\nA c\na d\n' >m; $postmap -w hash:m; $postmap -s hash:m""",
    r"""printf 'a b\nA c\na d\n' >m; $postmap -r hash:m; $postmap -s hash:m""",
    r"""printf 'a b\nA c\n' >m; $postmap -f hash:m; $postmap -s hash:m | sort; $postmap -q A hash:m; $postmap -fq A hash:m""",
    r"""printf ' a b\n' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a b' >m; $postmap hash:m; $postmap -s hash:m""",
    r"""printf 'a b\r\nc d\r\n' >m; $postmap hash:m; $postmap -s hash:m | sort | od -c""",
    r"""printf 'a\0b c\n' >m; $postmap hash:m; $postmap -s hash:m | od -c""",
    r"""printf '\303\204 b\n\377 c\n' >m; $postmap -u hash:m; $postmap -us hash:m | od -c; $postmap -uq "$(printf '\303\204')" hash:m; $postmap -uq "$(printf '\377')" hash:m""",
    # Terminators.
    # Changes.
    r"""printf 'a b\nc d\n' >m; $postmap hash:m; $postmap -d a hash:m; $postmap -d a hash:m; echo $?; $postmap -s hash:m""",
    r"""printf 'a b\nc d\n' >m; $postmap hash:m; printf 'a\nx\n' | $postmap -d - hash:m; echo $?; printf 'x\n' | $postmap -d - hash:m; echo $?; $postmap -s hash:m""",
    r"""printf 'a b\n' >m; $postmap hash:m; $postmap -d A hash:m; $postmap -s hash:m""",
    r"""printf 'a b\n' >m; $postmap hash:m; $postmap -fd A hash:m; $postmap -s hash:m""",
    r"""printf 'a b\n' >m; cp m n; $postmap hash:m hash:n; $postmap -d a hash:m hash:n; echo $?; $postmap -s hash:m hash:n""",
    r"""$postmap -d a static:x""",
    r"""$postmap -d a inline:{a=b}""",
    r"""$postmap -d a regexp:/dev/null""",
    r"""$postmap -d a hash:nowhere""",
    r"""$postmap -d a nosuch:x""",
    r"""printf 'a b\n' >m; $postmap hash:m; printf 'c d\na e\n' | $postmap -i hash:m; $postmap -s hash:m | sort""",
    r"""printf 'a b\n' >m; $postmap hash:m; printf 'c d\na e\n' | $postmap -ir hash:m; $postmap -s hash:m | sort""",
    r"""printf 'c d\n' | $postmap -i hash:fresh; ls; $postmap -s hash:fresh""",
    r"""printf 'c d\n' | $postmap -i static:x""",
    r"""printf 'a b\n' >m; $postmap static:m""",
    r"""printf 'a b\n' >m; $postmap inline:m""",
    r"""printf 'a b\n' >m; $postmap texthash:m""",
    r"""printf 'a b\n' >m; $postmap regexp:m""",
    r"""printf 'a b\n' >m; $postmap m; ls; $postmap -q a m; $postmap -s m""",
    r"""printf 'a b\n' >m; $postmap btree:m; printf 'a b\n' | $postmap -q a btree:m; $postmap -s btree:m""",
    r"""printf 'a b\nb c\n' >m; $postmap lmdb:m; ls; $postmap -s lmdb:m; $postmap -d a lmdb:m; $postmap -s lmdb:m""",
    r"""printf 'a b\n' >m; chmod 600 m; $postmap hash:m; stat -c %a m.db; rm m.db; $postmap -p hash:m; stat -c %a m.db""",
    r"""printf 'a b\n' >m; chmod 640 m; chown alice m .; $postmap hash:m; stat -c '%a %U' m.db; rm m.db; $postmap -o hash:m; stat -c '%a %U' m.db""",
    # Questions.
    r"""$postmap -q a static:x; echo $?; $postmap -q a static:{two words}; $postmap -q a 'static:{ }'; $postmap -q a static:""",
    r"""$postmap -q a 'inline:{a=1, {b = two words}}'; $postmap -q b 'inline:{a=1, {b = two words}}'; $postmap -q A 'inline:{a=1}'; $postmap -fq A 'inline:{a=1}'; $postmap -s 'inline:{only=one}'""",
    r"""$postmap -q '' static:x; echo $?""",
    r"""printf 'a\n\nb\n' | $postmap -q - static:x; echo $?""",
    r"""printf 'a\nx\nA\n' | $postmap -q - inline:{a=1} inline:{x=2}; echo $?""",
    r"""$postmap -q x inline:{a=1} inline:{x=2} inline:{x=3}; echo $?""",
    r"""printf 'a b\n' >m; printf 'a\n' | $postmap -q - texthash:m""",
    r"""$postmap -q 192.0.2.1 'cidr:{ {192.0.2.0/24 net} }'; $postmap -q x 'cidr:{ {192.0.2.0/24 net} }'; echo $?; $postmap -q 192.0.2.1 'cidr:{ {192.0.2.1/24 net} }'; $postmap -q 192.0.2.1 'cidr:{ {x net} {192.0.2.0/33 a} {192.0.2.1 ok} }'; $postmap -q 2001:db8::1 'cidr:{ {!2001:db8::/32 no} {2001:db8::/32 six} }'; $postmap -q ::ffff:192.0.2.1 'cidr:{ {192.0.2.1 ok} }'; printf 'if 192.0.2.0/24\n192.0.2.1 in\nendif\n10.0.0.0/8 ten\n' >c; $postmap -q 192.0.2.1 cidr:c; $postmap -q 192.0.2.2 cidr:c; $postmap -q 10.1.1.1 cidr:c; $postmap -q 192.0.2.1 'cidr:{ {192.0.2.1} }'""",
    r"""$postmap -q abc 'regexp:{ {/b(.)/ $1} }'; $postmap -q aBc 'regexp:{ {/b(.)/ $1} }'; $postmap -q aBc 'regexp:{ {/b(.)/i $1} }'; $postmap -q abc 'regexp:{ {!/x/ no x} }'; $postmap -q abc 'regexp:{ {/(/ x} {/a/ ok} }'; $postmap -q abc 'regexp:{ {/a/} }'; $postmap -q abc 'regexp:{ {a x} }'; $postmap -q abc 'regexp:{ {/a/q x} }'; $postmap -q abc 'regexp:{ {/a/ $2} }'; $postmap -q abc 'regexp:{ {if /a/} {/c/ in} {endif} }'; $postmap -q abc 'regexp:{ {endif} }'; $postmap -q abc 'regexp:{ {if /a/} {/c/ in} }'; $postmap -q abc 'regexp:{ {/a/!/b/ no} {/a/!/x/ yes} }'""",
    r"""$postmap -q abc 'pcre:{ {/b(.)/ $1} }'; $postmap -q aBc 'pcre:{ {/b(.)/ $1} }'; $postmap -q aBc 'pcre:{ {/b(.)/i $1} }'; $postmap -q abc 'pcre:{ {!/x/ no x} }'; $postmap -q abc 'pcre:{ {/(/ x} {/a/ ok} }'; $postmap -q abc 'pcre:{ {/a/q x} }'; $postmap -q abc 'pcre:{ {/a/ ${2}} }'; $postmap -q abc 'pcre:{ {/(?<n>a)/ $n} }'; $postmap -q abc 'pcre:{ {/a/ $$} }'; $postmap -q abc 'pcre:{ {/(a)|(x)/ $1-$2-} }'""",
    # Files.
    r"""printf 'one\ntwo\n' >f1; printf three >f2; : >f3; printf 'a %s/f1\nb %s/f1, %s/f2\nc %s/nosuch\nMiXed %s/f2\ne %s/f3\n' "$PWD" "$PWD" "$PWD" "$PWD" "$PWD" "$PWD" >m; $postmap -F hash:m; $postmap -s hash:m | sort; $postmap -Fs hash:m | sort; for key in a b mixed c e; do $postmap -Fq $key hash:m; done; printf 'b\nx\n' | $postmap -Fq - hash:m; echo "x $PWD/f2" | $postmap -Fi hash:m; $postmap -Fq x hash:m; sed -i /^c/d m; $postmap -Fq b texthash:m; $postmap -Fq a "static:$PWD/f2"; $postmap -Fq a inline:{a=$PWD/f1}""",
    r"""printf 'a plain\n' >m; $postmap hash:m; for how in -Fqa -Fs; do $postmap $how hash:m 2>&1 | sed s/m.db/m/; done; printf 'a f\n' >m; $postmap -F hash:m; $postalias -F hash:m""",
    # Options.
    r"""$postmap -vq a static:x 2>/dev/null""",
    # Aliases.
    r"""printf 'a b\n' >m; $postalias hash:m; $postalias -s hash:m | grep -v LAST | sort""",
    r"""printf 'a:\n' >m; $postalias hash:m; $postalias -s hash:m | grep -v LAST | sort""",
    r"""printf ': b\n' >m; $postalias hash:m; $postalias -s hash:m | grep -v LAST | sort""",
    r"""printf 'a: b\na: c\n' >m; $postalias hash:m; $postalias -s hash:m | grep -v LAST | sort""",
    r"""printf 'a: b # c\n#d: e\n' >m; $postalias hash:m; $postalias -s hash:m | grep -v LAST | sort""",
    r"""printf 'a: b\n' >m; $postalias hash:m; printf 'c: d\n' | $postalias -i hash:m; $postalias -d a hash:m; $postalias -s hash:m | grep -v LAST | sort""",
    r"""printf 'a\nb\n' | $postalias -q - inline:{a=1}; echo $?; $postalias -h -q - static:x; $postalias -b x; $postalias""",
    # Aliases.
    r"""printf 'a:\tb\t,  c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '(c) a: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a (c): b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '(x: y\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: b (c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '"x:y": z\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a b c: d\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a\\:b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: "b c\\" d"\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: b \\\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '"a: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a"b": c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'A.B: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a+b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a/b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a:: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a : :include:/x\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf ' a: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: b\n\tc\n  d\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: b\n\n c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: b\n# x\n c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '<a>: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a,b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a;: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf ': b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: ,\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: ""\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '"": b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: "\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'owner-a: b;c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '[a]: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a%%b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a!b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a: b\r\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a\t: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a b@c: d\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '"a b"c: d\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '"a" b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a.: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf '.a: b\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    r"""printf 'a..b: c\n' >m; $postalias -o hash:m; $postalias -s hash:m | grep -v -e YP_ -e '^@:'""",
    # Messages as keys.
    *(MESSAGE + f"$postmap {options} regexp:r <h" for options in ("-hmq -", "-hq -", "-bmq -", "-bq -", "-bhmq -", "-mq -", "-hmq x", "-b", "-m -q a", "-hd -")),
    MESSAGE + "$postmap -hq - regexp:/dev/null <h",
]

RUNNER = r"""postmap=$1 postalias=$2; shift 2; export postmap postalias; top=$(mktemp -d); chmod 755 $top; n=0; for line; do n=$((n+1)); mkdir $top/$n; cd $top/$n
echo "== $line"; timeout 10 bash -c "$line" 2>&1 </dev/null; echo "status $?"; done; rm -rf $top"""


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.needs_program("sbin/postmap")
def test_command_lines() -> None:
    with Postfix() as system:
        system.configure(["default_database_type = hash"])
        system.start()
        outputs = []
        for folder in ("/usr/sbin", f"{paths.build_root()}/sbin"):
            text = system.run(["bash", "-c", RUNNER, "bash", f"{folder}/postmap", f"{folder}/postalias", *CASES], check=False, timeout=120).stdout
            text = re.sub(r"/tmp/tmp\.\w+/\d+", "DIR", text.replace(folder + "/", ""))
            outputs.append(dict(part.split("\n", 1) for part in text.split("\n== ")))
    debians, ours = outputs
    different = [f"{line}\n-- Debian's:\n{debians[line]}\n-- ours:\n{ours.get(line)}" for line in debians
                 if ours.get(line) != debians[line]]
    assert not different, "\n\n".join(different)
