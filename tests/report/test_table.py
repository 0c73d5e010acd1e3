import re

from fbm.report.table import Table, escape, latex, markdown

HARD = Table(
    ("Init", "Clip, %"),
    (("50 % & <b>_#1$", "52.2 ± 3.1"), (r"a\b{c}~^|", "-16.9 ± –")),
    "Title",
    "A caption\nof two lines",
    ("A note.",),
    ("a remark",),
)


def test_escape():
    assert escape("50 % & a_b #1 $x {y}") == r"50 \% \& a\_b \#1 \$x \{y\}"
    assert escape(r"\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
    assert escape("<1|2>") == r"\textless{}1\textbar{}2\textgreater{}"
    assert escape("[odd]*") == "{[}odd]{*}"
    assert escape("-16.9 ± –") == r"$-$16.9 $\pm$ --"
    assert escape("classify-ours") == "classify-ours"
    assert escape("10\u00a0%") == r"10~\%"


def test_every_line_has_its_columns_and_braces_close():
    text = latex(HARD)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    rows = [line for line in body if line.endswith(r"\\")]
    assert len(rows) == 3
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == 1
        bare = row.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}")
    assert "\n".join(body).isascii()
    assert body[3] == r"\begin{tabular}{lr}"
    assert body[-1] == r"\end{tabular}"


def test_caption_and_remarks_are_comments():
    assert latex(HARD).splitlines()[:3] == ["% Title. A caption of two lines", "% A note.", "% a remark"]


def test_no_package_is_needed_and_booktabs_wins():
    assert r"\providecommand{\toprule}{\hline}" in latex(HARD)
    assert "usepackage" not in latex(HARD)


def test_markdown_of_the_same_table():
    text = markdown(HARD)
    assert r"| a\b{c}~^\| | -16.9 ± – |" in text
    assert text.endswith("**A note.**  \n- a remark\n")


def test_columns_of_numbers_are_told_from_text():
    rows = (
        ("1", "52.0 ± 5.0 (3)", "–", "3 min 20 s", "0, 1, 2", "seed 1"),
        ("2", "-1.5 ± –", "<0.001", "2 h 5 min", "–", "–"),
    )
    assert Table(("row", "a", "b", "c", "d", "e"), rows).kinds == ["", "num", "num", "num", "num", ""]


def test_long_text_may_wrap_and_no_rows_are_no_error():
    assert Table(("a", "b"), (("x", "a sentence of more than a few words"),)).kinds == ["", "long"]
    assert len(Table(("a", "b"), ()).kinds) == 2


def test_columns_without_a_value_are_left_out_but_not_the_first():
    table = Table(("a", "b", "c"), (("", "–", "1"), ("", "", "–")))
    assert table.without_empty_columns().head == ("a", "c")
