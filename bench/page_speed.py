"""The report's page with 100,000 problems: the time until it is usable, and how long a search and a scroll take.

    python -m bench.page_speed             # needs Chromium
    python -m bench.page_speed --quick     # 20,000 problems

Problems are of the lengths of real ones, with eight formulas each. Prints one JSON object on the last line; seconds, and bytes of the file.
"""

import json
import random
import tempfile
from pathlib import Path

import click

from stages.reporting.browsing import PROBLEM_COLUMNS, PROBLEM_PROSE
from stages.reporting.packed_rows import pack
from tests.chromium import Chromium, chromium_path
from tests.test_page import page_of, problem_cells

WORDS = "the a of apples pears boxes each has buys gives how many are left total price cost train hours miles sum product 12 7 31 4 9".split()


def formula(number: int) -> str:
    return rf" so $\frac{{{number}}}{{{number + 3}}} \times {number} = x_{{{number % 9}}}^2$ and"


def table_of(num_problems: int) -> dict[str, object]:
    rng = random.Random(1)
    at = {name: i for i, name in enumerate(PROBLEM_COLUMNS)}
    rows = []
    for number in range(num_problems):
        row = problem_cells(number if number != 4 else 5)
        row[at["problem"]] = f"Problem {number}: " + " ".join(rng.choices(WORDS, k=45))
        row[at["solution"]] = " ".join(rng.choices(WORDS, k=40)) + "".join(map(formula, rng.choices(range(2000), k=8)))
        row[at["text"]] = number % 2000
        rows.append(row)
    texts = [[f"t{i}", "web", f"Title {i}", "", "CC0-1.0", " ".join(rng.choices(WORDS, k=180))] for i in range(2000)]
    return {"columns": PROBLEM_COLUMNS, "prose": PROBLEM_PROSE, "rows": rows, "texts": texts, "total": num_problems}


TIMED = """(async () => {{
  const begun = performance.now();
  {act};
  await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
  return (performance.now() - begun) / 1000;
}})()"""
SCROLL = "const v = document.querySelector('#problems-browser .view'); v.scrollTop = v.scrollHeight / 2"
SORT = "const s = document.querySelector('#problems-browser select[aria-label=sort]'); s.value = 'value descending'; s.dispatchEvent(new Event('change'))"
SEARCH = "const i = document.querySelector('#problems-browser input'); i.value = 'problem 4321'; i.dispatchEvent(new Event('input')); await new Promise(r => setTimeout(r, 160))"


@click.command()
@click.option("--quick", is_flag=True, help="20,000 problems.")
def main(quick: bool) -> None:
    """Open the page, scroll, sort and search."""
    assert chromium_path(), "Chromium is needed: sudo apt-get install chromium"
    num_problems = 20_000 if quick else 100_000
    page = page_of(4)
    head, _, rest = page.partition('id="problems-data">')
    tail = rest.partition("</script>")[2]
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser:
        path = Path(folder) / "index.html"
        path.write_text(f'{head}id="problems-data">{pack(table_of(num_problems))}</script>{tail}', encoding="utf-8")
        opened = [browser.open(path) for _ in range(3)]
        first_paint = browser.run("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
        figures = {
            "num_problems": num_problems, "bytes": path.stat().st_size, "seconds_until_usable": round(sorted(opened)[1], 2),
            "seconds_until_painted": round(first_paint, 2), "seconds_until_whole": round(browser.seconds_until_whole, 2), **{
                f"seconds_to_{name}": round(browser.run(TIMED.format(act=act)), 3) for name, act in (("scroll", SCROLL), ("sort", SORT), ("search", SEARCH))
            },
        }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
