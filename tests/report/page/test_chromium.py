"""The page as a person meets it: opened from disk in a browser, light and dark, on a desk and on a phone."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fbm.cli.report import main
from fbm.report import numbers
from fbm.report.read.runs import find
from fbm.report.scarcity import scarcity
from fbm.report.table1 import table1
from tests.report.full_study import full_study

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM or os.environ.get("CI") == "true", reason="needs Chromium, which is no part of the install"
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=4000"),
)
# A window of the browser cannot be as narrow as a phone, a frame in it can. The frame says what it sees.
FRAME = """<!doctype html><iframe src="probed.html" width="{width}" height="800" style="border: 0"></iframe>
<pre></pre><script>
addEventListener("message", (event) => {{ document.querySelector("pre").textContent = event.data; }});
</script>"""
SAY = """<script>{{
const root = document.documentElement;
const tip = document.getElementById("tip");
const said = {{}};
const color = (element, name) => getComputedStyle(element)[name];
const move = (element, across) => {{
  const box = element.getBoundingClientRect();
  const at = {{ clientX: box.left + box.width * across, clientY: box.top + box.height / 2, bubbles: true }};
  element.dispatchEvent(new PointerEvent("pointermove", at));
}};
const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
{script}
parent.postMessage(JSON.stringify({{ ...said, ready: root.dataset.ready, error: root.dataset.error }}), "*");
}}</script>"""


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = full_study(tmp_path_factory.mktemp("chromium"))
    assert main([str(folder)]) == 0
    return folder


def look(
    study: Path, folder: Path, script: str, width: int = 1200, dark: bool = False, page: str = ""
) -> dict[str, Any]:
    """What `script` puts into `said` when it runs at the end of the page, and the lines of the browser's console."""
    source = page or (study / "report" / "index.html").read_text()
    (folder / "probed.html").write_text(source.replace("</body>", SAY.format(script=script) + "</body>"))
    (folder / "frame.html").write_text(FRAME.format(width=width))
    scheme = [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    place = [f"--user-data-dir={folder / 'profile'}", "--dump-dom", (folder / "frame.html").as_uri()]
    done = subprocess.run([str(CHROMIUM), *FLAGS, *scheme, *place], capture_output=True, text=True, timeout=600)
    (text,) = re.findall(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    said: dict[str, Any] = json.loads(html.unescape(text))
    return said | {"console": [line for line in done.stderr.splitlines() if "CONSOLE" in line]}


def test_it_runs_without_an_error_and_asks_nothing_of_a_network(study, tmp_path):
    said = look(study, tmp_path, """
        said.asked = performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 30));
        said.named = [...document.querySelectorAll("[src]")].map((one) => one.getAttribute("src"))
          .concat([...document.querySelectorAll("[href]")].map((one) => one.getAttribute("href")));
        said.drawn = [...document.images].map((image) => image.naturalWidth);
        said.charts = document.querySelectorAll(".chart").length;
    """)  # fmt: skip
    assert said["console"] == []
    assert said["ready"] == "yes"
    assert "error" not in said
    assert all(name.startswith("data:") for name in said["asked"])
    assert all(name.startswith(("data:image/webp;base64,", "#")) for name in said["named"])
    assert len(said["drawn"]) == 1 + 2 + 2 * 3
    assert said["charts"] == 1 + 3 + 4


def test_an_error_would_be_seen(study, tmp_path):
    broken = (study / "report" / "index.html").read_text().replace('<button type="button" id="look"', "<button")
    said = look(study, tmp_path, "", page=broken)
    assert "Cannot" in said["error"]
    assert "ready" not in said
    assert any("Uncaught TypeError" in line for line in said["console"])


def test_hovering_and_arrow_keys_show_the_values(study, tmp_path):
    said = look(study, tmp_path, """
        const svg = document.querySelector("#chart-scarcity > svg");
        said.before = tip.hidden;
        move(svg, 0.5);
        said.hovered = tip.innerText;
        svg.dispatchEvent(new PointerEvent("pointerleave"));
        said.left = tip.hidden;
        svg.focus();
        press(svg, "End");
        said.last = tip.innerText;
        press(svg, "ArrowLeft");
        press(svg, "ArrowLeft");
        press(svg, "ArrowLeft");
        said.first = tip.innerText;
        press(svg, "Escape");
        said.escaped = tip.hidden;
        document.querySelectorAll("#chart-scarcity .key")[1].click();
        move(svg, 0.5);
        said.without = tip.innerText;
        const cells = document.querySelectorAll(".matrix tbody td");
        move(cells[0], 0.5);
        said.cell = tip.innerText;
        cells[0].focus();
        press(cells[0], "ArrowRight");
        press(document.activeElement, "ArrowDown");
        said.walked = tip.innerText;
        said.titles = document.querySelectorAll("svg title, td[title]").length;
    """)  # fmt: skip
    curves = scarcity(table1(find([study])))
    said_at = [
        [f"{numbers.accuracy(list(curve.rows.values())[at].clip)} % (3 runs)" for curve in curves] for at in range(3)
    ]
    assert (said["before"], said["left"], said["escaped"]) == (True, True, True)
    assert said["hovered"].startswith("25 % of groups labelled")
    assert all(value in said["hovered"] for value in said_at[1])
    assert all(value in said["last"] for value in said_at[2])
    assert all(value in said["first"] for value in said_at[0])
    assert [value in said["without"] for value in said_at[1]] == [True, False, True]
    assert re.match(r"Bounce recognised: \d+ of 63 clips", said["cell"])
    assert re.match(r"Orbit recognised: \d+ of 63 clips", said["walked"])
    assert said["titles"] == 0  # the browser's own tips would cover the page's
    assert said["console"] == []


@pytest.mark.parametrize("width", [360, 400])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(study, tmp_path, width):
    said = look(study, tmp_path, """
        said.width = innerWidth;
        said.scroll = root.scrollWidth;
        const boxes = (all) => [...all].map((text) => text.getBoundingClientRect());
        said.outside = 0;
        said.touching = 0;
        said.small = 99;
        for (const svg of document.querySelectorAll(".chart > svg")) {
          const paper = svg.getBoundingClientRect();
          for (const box of boxes(svg.querySelectorAll("text"))) {
            said.outside += box.left < 0 || box.right > innerWidth || box.bottom > paper.bottom + 4;
            said.small = Math.min(said.small, box.height);
          }
          const marks = boxes(svg.querySelectorAll(".ticks.x text"));
          said.touching += marks.filter((box, nth) => nth && box.left < marks[nth - 1].right + 2).length;
        }
        const frames = [...document.images].map((image) => image.getBoundingClientRect().width / image.naturalWidth);
        said.shrunk = Math.min(...frames);
        const svg = document.querySelector("#chart-validation-1 > svg");
        for (const across of [0, 1]) {
          move(svg, across);
          const box = tip.getBoundingClientRect();
          said.outside += box.left < 0 || box.right > innerWidth;
        }
    """, width=width)  # fmt: skip
    assert said["width"] == width
    assert said["scroll"] <= width
    assert said["outside"] == 0
    assert said["touching"] == 0
    assert said["shrunk"] >= 1  # a picture wider than the screen is moved within its frame
    assert said["small"] > 11  # the height of a line of text, in pixels
    assert said["console"] == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_look_follows_the_system_and_the_button_turns_it(study, tmp_path, dark):
    said = look(study, tmp_path, """
        const seen = () => ({
          paper: color(document.body, "backgroundColor"),
          inks: ["a", "thead th", "figcaption", ".headline", ".soft", ".note", ".under", ".range", ".key", "#look"]
            .map((name) => [name, color(document.querySelector(name), "color")]),
          lines: ["c0", "c1", "c2"].map((name) => color(document.querySelector(`.line.${name} .stroke`), "stroke")),
        });
        said.first = seen();
        said.button = document.getElementById("look").textContent;
        document.getElementById("look").click();
        said.second = seen();
    """, dark=dark)  # fmt: skip
    light_paper, dark_paper = "rgb(253, 253, 251)", "rgb(20, 23, 26)"
    papers = [said["first"]["paper"], said["second"]["paper"]]
    assert papers == ([dark_paper, light_paper] if dark else [light_paper, dark_paper])
    assert said["button"] == ("Light" if dark else "Dark")
    for seen in (said["first"], said["second"]):
        for name, ink in seen["inks"]:
            assert contrast(ink, seen["paper"]) >= 4.5, name
        assert all(contrast(line, seen["paper"]) >= 3 for line in seen["lines"])
    assert said["console"] == []


def contrast(one: str, other: str) -> float:
    """Ratio of two colours' luminances after WCAG, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
