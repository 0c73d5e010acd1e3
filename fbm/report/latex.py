"""A table as LaTeX, to `\\input` into a paper: needs no package, and looks better with booktabs."""

import re

from fbm.report.sheet import Sheet

# Without booktabs its rules are plain lines; where it is loaded these do nothing.
RULES = tuple(rf"\providecommand{{\{rule}}}{{\hline}}" for rule in ("toprule", "midrule", "bottomrule"))
SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},  # other signs in the old font encoding
    **{"[": "{[}", "*": "{*}"},  # after the end of a row these would be its arguments
    **{"±": r"$\pm$", "−": "$-$", "–": "--", "×": r"$\times$", "\u202f": r"\,", "\u00a0": "~"},
}
UNESCAPED = re.compile("|".join(map(re.escape, SPECIAL)))
NEGATIVE = re.compile(r"^-(?=\d)")


def latex(sheet: Sheet) -> str:
    """A `tabular` of the sheet's cells; its title, caption, notes and remarks are comments above."""
    said = (f"{sheet.title}. {sheet.caption}", *sheet.notes, *sheet.remarks)
    lines = [f"% {' '.join(text.split())}" for text in said]
    lines += [*RULES, rf"\begin{{tabular}}{{l{'r' * (len(sheet.head) - 1)}}}", r"\toprule", _line(sheet.head)]
    lines += [r"\midrule", *map(_line, sheet.rows), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX prints it, whatever is in it; a leading minus becomes a true one."""
    return UNESCAPED.sub(lambda found: SPECIAL[found[0]], NEGATIVE.sub("−", text))


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"
