"""peers.py's figures as text, as Markdown and as a bar chart in SVG."""
import dataclasses
import os
from xml.sax.saxutils import escape

BAR, LEFT, WIDTH, LONGEST = 18, 330, 900, 450


@dataclasses.dataclass
class Row:
    """limit: the goal for Quire's figure as a part of KVM's; None for a row without one."""
    what: str
    unit: str
    quire: float
    kvm: float
    limit: float = None
    more_is_better: bool = False

    @property
    def ratio(self):
        return self.quire / self.kvm if self.kvm else float("inf")

    def verdict(self):
        better = self.ratio > 1 if self.more_is_better else self.ratio < 1
        words = [] if better or self.ratio == 1 else ["Quire loses"]
        if self.limit is not None:
            kept = self.ratio >= self.limit if self.more_is_better else self.ratio <= self.limit
            words.append("goal met" if kept else f"misses {self.goal()} by {abs(self.ratio / self.limit - 1):.0%}")
        return "; ".join(words)

    def goal(self):
        if self.limit is None:
            return ""
        return f"{self.limit:g} times" if self.limit >= 0.7 else f"1/{1 / self.limit:.0f}"

    def cells(self):
        return [self.what, self.unit, f"{self.quire:,.0f}", f"{self.kvm:,.0f}", f"{self.ratio:.3f}", self.goal(),
                self.verdict()]


class Report:
    """The rows, and the paragraphs that say how they came about."""

    titles = ["what", "unit", "Quire", "KVM", "Quire/KVM", "goal", ""]

    def __init__(self, rows, facts):
        self.rows, self.facts = rows, facts

    def text(self):
        lines = ["{:<52}{:<14}{:>10}{:>10}{:>11}{:>11}  {}".format(*cells)
                 for cells in [self.titles] + [row.cells() for row in self.rows]]
        return "\n".join(lines)

    def markdown(self):
        table = [" | ".join(row.cells()) for row in self.rows]
        goals = [row for row in self.rows if row.limit is not None]
        met = sum("goal met" in row.verdict() for row in goals)
        lost = [row.what for row in self.rows if "loses" in row.verdict()]
        return "\n".join([
            "# Quire beside KVM", "",
            "Written by `make bench-peers`; not edited. Figures are path lengths in emulated instructions, emulated",
            "time and memory: they repeat on any computer, and say nothing about caches or about a real processor's",
            f"own cost of an exit. Of {len(goals)} goals {met} are met. Quire loses: "
            f"{', '.join(lost) or 'nowhere'}.", "",
            *[line for fact in self.facts for line in (fact, "")],
            "![chart](bench.svg)", "",
            "| " + " | ".join(self.titles) + " |", "| --- | --- | ---: | ---: | ---: | ---: | --- |",
            *[f"| {line} |" for line in table], ""])

    def svg(self):
        """Two bars a row; their lengths are parts of the longer one, for the units differ."""
        parts, y = [], 50
        for row in self.rows:
            longest = max(row.quire, row.kvm) or 1
            parts.append(f'<text x="{LEFT - 8}" y="{y + BAR}" text-anchor="end">'
                         f'{escape(row.what)}</text>')
            for value, colour in ((row.quire, "#1f77b4"), (row.kvm, "#bbbbbb")):
                length = LONGEST * value / longest
                parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 4}" '
                             f'fill="{colour}"/>')
                parts.append(f'<text x="{LEFT + length + 5:.1f}" y="{y + BAR - 7}">{value:,.0f} {row.unit}</text>')
                y += BAR - 3
            y += 10
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10}" '
                'font-family="sans-serif" font-size="12">'
                f'<rect width="{WIDTH}" height="{y + 10}" fill="white"/>'
                f'<text x="{LEFT}" y="24" font-size="15">Quire (blue) beside KVM with QEMU (grey); shorter is '
                'better, but for guests</text>' + "\n".join(parts) + "</svg>\n")

    def write(self, folder):
        for name, text in (("bench.md", self.markdown()), ("bench.svg", self.svg())):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
