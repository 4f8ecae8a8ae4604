#!/usr/bin/python3
"""Makes from src/mail/params/*.toml what must agree with it.

    gen_params.py header OUT TOML...    members of struct params
    gen_params.py table OUT TOML...     the tables behind params_load() and postconf
    gen_params.py section NAMES TOML... a man page's parameter section in markdown (NAMES: comma separated, or a file
                                        with one name a line), to stdout
    gen_params.py page OUT TOML...      the manual page postconf.5, in roff

A stanza without summary, with an unknown key or type, or declared twice fails the build.
"""
import pathlib
import re
import sys
import tomllib

KEYS = {"type", "default", "min", "max", "summary", "doc", "status", "values", "unit", "field", "computed", "raw",
        "nonempty", "commands"}
STATUSES = {"", "known only", "harmless", "by name"}
TYPES = {"text", "bool", "int", "size", "time", "enum"}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Wrong(Exception):
    pass


def time_us(text, unit):
    match = re.fullmatch(r"(\d+)([smhdw]?)", text)
    if not match:
        raise Wrong(f"not a time: {text!r}")
    return int(match[1]) * UNITS[match[2] or unit] * 1_000_000


class Param:
    def __init__(self, name, stanza, area):
        self.name, self.area = name, area
        unknown = set(stanza) - KEYS
        if unknown:
            raise Wrong(f"unknown keys {sorted(unknown)}")
        self.type = stanza.get("type")
        if self.type not in TYPES:
            raise Wrong(f"type {self.type!r}")
        self.default = stanza.get("default", "")
        self.summary = stanza.get("summary", "").strip()
        if not self.summary:
            raise Wrong("no summary")
        self.doc = stanza.get("doc", "")
        self.status = stanza.get("status", "")
        if self.status not in STATUSES:
            raise Wrong(f"status {self.status!r}")
        self.known_only = self.status != ""
        self.ineffective = self.status == "known only"
        self.values = stanza.get("values", [])
        if (self.type == "enum") != bool(self.values):
            raise Wrong("values belong to type enum, and only there")
        self.computed = stanza.get("computed", False)
        self.raw = stanza.get("raw", False)
        self.nonempty = stanza.get("nonempty", False)
        self.commands = stanza.get("commands", False)
        self.unit = stanza.get("unit") or (self.default[-1:] if self.default[-1:] in UNITS else "s")
        self.field = stanza.get("field", name) + ("_us" if self.type == "time" else "")
        if not re.fullmatch(r"[A-Za-z_]\w*", self.field):
            raise Wrong(f"needs a field name: {self.field!r}")
        self.fixed = not self.computed and (self.raw or "$" not in self.default)
        self.min, self.max = stanza.get("min"), stanza.get("max")
        self.check_default()

    def number(self, text):
        if self.type == "time":
            return time_us(str(text), self.unit)
        if self.type == "bool":
            return {"yes": 1, "no": 0}[text]
        return int(text)

    def limits(self):
        low = -2**63 if self.min is None else self.number(self.min)
        top = 2**63 - 1
        if self.type == "int":
            low, top = max(low, -2**31), 2**31 - 1
        if self.type == "time" and self.min is None:
            low = 0
        return low, top if self.max is None else self.number(self.max)

    def check_default(self):
        if not self.fixed or self.type == "text":
            return
        if self.type == "enum":
            if self.default not in self.values:
                raise Wrong(f"default {self.default!r} is none of {self.values}")
            return
        low, top = self.limits()
        if not low <= self.number(self.default) <= top:
            raise Wrong(f"default {self.default!r} is out of range")


def load(paths):
    params = {}
    for path in paths:
        with open(path, "rb") as file:
            content = tomllib.load(file)
        for name, stanza in content.items():
            try:
                if name in params:
                    raise Wrong("declared twice")
                params[name] = Param(name, stanza, pathlib.Path(path).stem)
            except (Wrong, KeyError, ValueError) as problem:
                sys.exit(f"{path}: [{name}]: {problem}")
    return [params[name] for name in sorted(params)]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("?", "\\?").replace("\0", "\\000") + '"'


C_TYPES = {"text": "const char *", "enum": "const char *", "bool": "bool ", "int": "int ", "size": "int64_t ",
           "time": "int64_t "}


def header(params):
    lines = ["/* Generated from the TOML files in src/mail/params by tools/gen_params.py. */"]
    for p in params:
        note = f"default {p.default}" if p.default else "empty by default"
        note = note.replace("*/", "* /").replace("/*", "/ *")
        lines.append(f"{C_TYPES[p.type]}{p.field}; /* {note if len(note) < 80 else 'long default'} */")
    return lines


def c_number(value):
    return "INT64_MIN" if value <= -2**63 else f"INT64_C({value})"


class Texts:
    """One array with all texts, each behind the other: a place in it, unlike a pointer, costs nothing at start."""

    def __init__(self):
        self.places, self.lines, self.bytes = {}, [], 0

    def place(self, text):
        if text not in self.places:
            self.places[text] = self.bytes
            self.bytes += len(text.encode()) + 1
            self.lines.append(f"    {quoted(text)} \"\\0\"")
        return self.places[text]

    def values(self, values):
        """Several texts and an empty one; 0: none."""
        return self.place("\0".join(values) + "\0") if values else 0


def value_at_start(p, texts):
    """What the field of a fixed default holds before main.cf has been read."""
    if p.type in ("text", "enum"):
        return f"param_texts + {texts.place(p.default)}"
    return p.number(p.default) if p.type in ("bool", "int") else c_number(p.number(p.default))


def table(params):
    texts = Texts()
    texts.place("")
    rows, definitions, start = [], [], []
    for p in params:
        low, top = p.limits() if p.type in ("int", "size", "time") else (0, 0)
        rows.append(f"    {{{texts.place(p.name)}, {texts.place(p.default)}, {str(p.known_only).lower()}, "
                    f"{str(p.ineffective).lower()}}},")
        definitions.append(f"    {{{texts.place(p.area)}, offsetof(struct params, {p.field}), PARAM_{p.type.upper()}, '{p.unit}', "
                           f"{str(p.raw).lower()}, {str(p.nonempty).lower()}, {texts.values(p.values)}, "
                           f"{c_number(low)}, {c_number(top)}}},")
        if p.fixed:
            start.append(f"    .{p.field} = {value_at_start(p, texts)},")
    unfixed = [i for i, p in enumerate(params) if not p.fixed]
    # What commands need first.
    unfixed.sort(key=lambda i: not params[i].commands)
    return ["/* Generated from the TOML files in src/mail/params by tools/gen_params.py. */",
            '#include "mail/params/param_def.h"', "", "const char param_texts[] =", *texts.lines, "    ;", "",
            "const struct param_row param_rows[] = {", *rows, "};", f"const size_t param_row_count = {len(params)};", "",
            "const struct param_def param_defs[] = {", *definitions, "};", "",
            "const struct params params_at_start = {", *start, "};", "",
            "const uint16_t param_unfixed[] = {" + ", ".join(map(str, unfixed)) + "};",
            f"const size_t param_unfixed_count = {len(unfixed)};",
            f"const size_t param_unfixed_for_commands = {sum(params[i].commands for i in unfixed)};"]


def shown_default(p):
    return "see **postconf -d**" if p.computed else f"`{p.default}`" if p.default else "empty"


def section(params, names):
    by_name = {p.name: p for p in params}
    lines = []
    for name in names:
        if name not in by_name:
            sys.exit(f"gen_params.py: no such parameter: {name}")
        p = by_name[name]
        lines += [f"**{name}** ({shown_default(p)})", f": {p.summary}", ""]
        if p.doc:
            lines[-1:] = ["", "  " + " ".join(p.doc.split()), ""]
    return lines


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def range_note(p):
    notes = []
    if p.values:
        notes.append("One of: " + ", ".join(p.values) + ".")
    if p.min is not None:
        notes.append(f"At least {p.min}.")
    if p.max is not None:
        notes.append(f"At most {p.max}.")
    if p.status in ("known only", "harmless"):
        notes.append("Known, so that existing configurations are understood, but without effect yet.")
    return notes


def page(params):
    lines = [".\\\" Generated from the TOML files in src/mail/params by tools/gen_params.py.", ".TH POSTCONF 5", ".ad", ".fi",
             ".SH NAME", "postconf \\- main.cf configuration parameters", ".SH SYNOPSIS", ".B postconf", "[\\fIname\\fR ...]",
             ".SH DESCRIPTION",
             "The file main.cf holds lines of the form \\fIname\\fR = \\fIvalue\\fR. A line that begins with white space",
             "continues the one before; lines whose first other character is # are comments. In a value, $\\fIname\\fR stands",
             "for the value of another parameter, ${\\fIname\\fR?\\fItext\\fR} for \\fItext\\fR when that is not empty and",
             "${\\fIname\\fR:\\fItext\\fR} when it is. A time is a number and one of the letters s, m, h, d, w.", ".PP",
             "The parameters, with their defaults:"]
    for p in params:
        default = 'see "postconf -d"' if p.computed else p.default or "empty"
        lines += [f".SH {roff(p.name)} (default: {roff(default)})", roff(p.summary)]
        if p.doc:
            lines += [".PP"] + [roff(" ".join(p.doc.split()))]
        notes = range_note(p)
        if notes:
            lines += [".PP", roff(" ".join(notes))]
    return lines


def write(path, lines):
    text = "\n".join(lines) + "\n"
    out = pathlib.Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not out.exists() or out.read_text() != text:
        out.write_text(text)


def main(arguments):
    if len(arguments) < 3 or arguments[0] not in ("header", "table", "section", "page"):
        sys.exit(__doc__)
    what, target, files = arguments[0], arguments[1], arguments[2:]
    params = load(files)
    if what == "section":
        names = pathlib.Path(target).read_text().split() if pathlib.Path(target).is_file() else target.split(",")
        print("\n".join(section(params, names)))
    else:
        write(target, {"header": header, "table": table, "page": page}[what](params))


if __name__ == "__main__":
    main(sys.argv[1:])
