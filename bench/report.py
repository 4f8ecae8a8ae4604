"""The results as text, as JSON, and as a page with plots (Markdown, and gnuplot's SVG)."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from scenarios import Cases, Figures
from targets import Verdict

NAMES = {"postfix": "Postfix", "tuned": "Postfix, tuned", "opensmtpd": "OpenSMTPD", "waybill": "Waybill", "floor": "file system alone"}
PLOTTED = {"messages_per_second": "messages/s", "accepted_per_second": "messages/s accepted", "cpu_s_per_1000": "CPU s per 1000 messages",
           "kib_per_session": "KiB per parked session", "pss_mib": "MiB of all daemons"}


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def figures_of(cases: Cases) -> list[str]:
    return list(dict.fromkeys(figure for systems in cases.values() for found in systems.values() for figure in found))


def rows(cases: Cases) -> list[list[str]]:
    """A table: one row for each case and system."""
    figures = figures_of(cases)
    made = [["case", "system", *(figure.replace("_", " ") for figure in figures)]]
    for case, systems in cases.items():
        for name, found in systems.items():
            made.append([case, NAMES.get(name, name), *(number(found.get(figure)) for figure in figures)])
            case = ""
    return made


def text_table(table: Sequence[Sequence[str]], left: int = 2) -> str:
    """Headings have several words, one below the other.  The first LEFT columns are text."""
    heads = [head.split(" ") if n > 1 else [head] for n, head in enumerate(table[0])]
    height = max(map(len, heads))
    lines = [[head[at] if at < len(head) else "" for head in heads] for at in range(height)] + list(map(list, table[1:]))
    widths = [max(len(line[n]) for line in lines) for n in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) if n < left else cell.rjust(width) for n, (cell, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def markdown_table(table: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def verdict_rows(verdicts: Iterable[Verdict]) -> list[list[str]]:
    return [["", "target", "verdict"], *([f"{one.target.scenario}{'' if one.target.hard else ' (soft)'}", one.target.text, str(one)] for one in verdicts)]


# ---- plots

def quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def plot_script(cases: Cases, figure: str, target: Path) -> str:
    systems = list(dict.fromkeys(name for found in cases.values() for name in found))
    lines = [f"set terminal svg size 1000,420 font 'sans,11'; set output {quoted(str(target))}",
             f"set title {quoted(PLOTTED[figure])}; set style data histogram; set style fill solid 0.8; set boxwidth 0.9",
             "set yrange [0:*]; set grid y; set key outside top center horizontal; set xtics rotate by -20 noenhanced", "$data << END"]
    for case, found in cases.items():
        lines.append(" ".join([quoted(case), *(str(found.get(name, {}).get(figure, "NaN")) for name in systems)]))
    columns = ", ".join(f"$data using {n + 2}{':xtic(1)' if n == 0 else ''} title {quoted(NAMES.get(name, name))}" for n, name in enumerate(systems))
    return "\n".join([*lines, "END", f"plot {columns}", ""])


def plots(letter: str, cases: Cases, folder: Path) -> list[str]:
    """The names of the files made.  A machine without gnuplot gets none."""
    made = []
    for figure in PLOTTED:
        if figure in figures_of(cases):
            name = f"{letter}-{figure}.svg"
            try:
                subprocess.run(["gnuplot"], input=plot_script(cases, figure, folder / name), text=True, check=True)
            except FileNotFoundError:
                return []
            made.append(name)
    return made


# ---- all of it

def machine() -> str:
    return f"Linux {os.uname().release}, {os.cpu_count()} processors"


def without_infinity(figures: Figures) -> dict[str, float | None]:
    return {name: None if value == float("inf") else value for name, value in figures.items()}


def save(folder: Path, titles: dict[str, str], results: dict[str, Cases], verdicts: list[Verdict], how: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    when = datetime.datetime.now().isoformat(sep=" ", timespec="minutes")
    page = [f"# make bench, {when}", f"{machine()}; {how}. Ratios count: see `bench/README.md`.", "## Targets", markdown_table(verdict_rows(verdicts))]
    for letter, cases in results.items():
        page += [f"## {letter}: {titles[letter]}", markdown_table(rows(cases)), *(f"![]({name})" for name in plots(letter, cases, folder))]
    (folder / "report.md").write_text("\n\n".join(page) + "\n")
    plain = {letter: {case: {name: without_infinity(found) for name, found in systems.items()} for case, systems in cases.items()}
             for letter, cases in results.items()}
    judged = [{"scenario": one.target.scenario, "target": one.target.text, "wanted": one.target.wanted(), "hard": one.target.hard,
               "holds": one.holds, "values": without_infinity(one.values)} for one in verdicts]
    (folder / "report.json").write_text(json.dumps({"date": when, "machine": machine(), "how": how, "scenarios": plain, "targets": judged}, indent=1) + "\n")
