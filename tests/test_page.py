"""The page: whole without a network, harmless whatever models wrote, and usable in a real browser on any screen."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stages.reporting.browsing import FLIP_COLUMNS, FLIP_PROSE, PROBLEM_COLUMNS, PROBLEM_PROSE, flips_table
from stages.reporting.packed_rows import pack
from stages.reporting.pictures import draw_curves, draw_overlap
from stages.reporting.report import render_page
from stages.statistics.comparison import Run, compare_tasks
from stages.statistics.paired import paired
from stages.statistics.reference_loss import LossDifference
from stages.statistics.votes import VoteComparison
from tests.chromium import Chromium, chromium_path
from tests.test_evaluation import prediction, query_of

needs_chromium = pytest.mark.skipif(not chromium_path(), reason="there is no Chromium to open the page with")
HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"
ACCURACY = {"accuracy": 0.5, "low_95": 0.4, "high_95": 0.6, "num_problems": 10}
FIGURES = ACCURACY | {
    "jiuzhang": ACCURACY,
    "num_answered": 9,
    "num_responses": 10,
    "num_truncated": 1,
    "num_fallback": 2,
    "num_timeouts": 0,
}


def problem_cells(number: int) -> list[Any]:
    row = {
        "round": "corpus", "verdict": "kept" if number % 3 else "equation", "detail": "", "source": ["web", "wiki"][number % 2], "level": "grade",
        "mode": "cot", "problem": f"Problem {number}: {HOSTILE if number == 4 else 'how many apples?'}", "solution": "3 + 4 = 7, so $\\frac{14}{2} = 7$. It costs $5 and $7.", "answer": "7",
        "synthesizer": "boosted", "id": f"p{number}", "text": number % 5, "value": number / 7,
    }  # fmt: skip
    return [row[column] for column in PROBLEM_COLUMNS]


LOSS = {"nats_per_token": 0.9, "low_95": 0.8, "high_95": 1.0, "nats_per_problem": 90.0, "problem_low_95": 80.0,
        "problem_high_95": 100.0, "num_problems": 10, "num_tokens": 1000}  # fmt: skip
VOTE = ACCURACY | {
    "num_samples": 8,
    "pass_at": {"1": 0.5, "8": 0.9},
    "maj_at": {"8": {"first_seen": 0.61, "low_95": 0.3, "high_95": 0.8, "by_lot": 0.6}},
}


def readings(has_untrained: bool) -> dict[str, Any]:
    """Losses and votes of the page."""
    over = LossDifference("gsm8k", LOSS, LOSS, "token", -0.123, -0.2, -0.05)
    vote = VoteComparison("gsm8k", "cot", 8, paired(1, 2, 3, 4))
    sides = {"student": "llama", "benchmark": "gsm8k"}
    told = (LOSS, over, VOTE, vote) if has_untrained else (None,) * 4
    empty = {"num_problems": 0}
    losses = [
        sides | {"a": LOSS, "b": LOSS, "untrained": told[0], "over_a": over, "over_untrained": told[1]},
        sides | {"benchmark": "equations", "a": empty, "b": empty, "untrained": told[0] and empty, "over_a": None, "over_untrained": None},
    ]  # fmt: skip
    votes = [sides | {"mode": "cot", "a": VOTE, "b": VOTE, "untrained": told[2], "over_a": vote, "over_untrained": told[3]}]  # fmt: skip
    return {"losses": losses, "votes": votes}


SUMMARY = {"student": "llama", "num_parameters": 913152, "trained": [{"training": "pretrain llama", "num_examples": 3177, "num_tokens": 1_500_000}],
           "num_tasks": 4, "num_problems": 540, "gain": 44.63, "low": 42.9, "high": 46.31, "with": 0.515, "without": 0.069}  # fmt: skip
EXAMPLE = {
    "problem": "Solve $2x + 5 = 15$.", "solution": HOSTILE, "answer": "5", "mode": "cot", "prompt": "grade", "synthesizer": "boosted",
    "asked": "## Text\nA pear.", "text": {"source": "wiki", "title": HOSTILE, "url": "https://example.org", "license": "CC0-1.0", "text": "A pear costs $5 or $7."},
}  # fmt: skip
ORIGIN = {"commit": "75c692b0a1", "date": "2026-11-27", "edited": ["params.yaml"], "meaning": "5f0c7b2e9a1d4c38"}
PROFILE = {"profile": "laptop", "num_changed": 1, "changed": ["finetune.num_epochs"], "seeds": [1, 2], "origin": ORIGIN}


def page_of(num_problems: int = 300, has_untrained: bool = True) -> str:
    texts = [[f"t{i}", "web", f"Title {i}", "https://example.org", "CC0-1.0", f"Text {i}"] for i in range(5)]
    a = Run("a", {}, query_of([prediction(i, i % 2 == 0, benchmark="gsm8k") for i in range(10)]))
    rows = [prediction(i, i % 3 == 0, benchmark="gsm8k", response=f"It is {i} {HOSTILE}") for i in range(10)]
    (task,) = compare_tasks(a, Run("b", {}, query_of(rows)), max_flips=10)
    flips = flips_table("llama", task.flips, {("gsm8k", i): f"Question {i}" for i in range(10)})
    tasks = [
        {"student": "llama", "benchmark": name, "mode": "cot", "a": FIGURES, "b": FIGURES | {"accuracy": accuracy}, "difference": accuracy - 0.5, "holm_p": 0.03,
         "untrained": ACCURACY if has_untrained else None, "gain": paired(1, 2, 3, 4) if has_untrained else None, "low": -0.1, "high": 0.2, "published": 0.886}
        for name, accuracy in (("gsm8k", 0.45), ("math-oai", 0.55), ("svamp", 0.5))
    ]  # fmt: skip
    group = {"num_made": 6, "num_kept": 4, "kept_frac": 0.6667, "rejected": {"equation": 2}}
    share = {"on_topic_frac": 0.5, "low_95": 0.4, "high_95": 0.6, "num_texts": 10}
    taught = {
        "model": HOSTILE,
        "num_requests": 10,
        "prompt_tokens": 1,
        "cached_tokens": 0,
        "completion_tokens": 5,
        "usd": 0.25,
        "num_problems": 5,
        "rejected": {},
        "repaired": {},
    }
    metrics = {
        "corpus": {"web": {"num_documents": 1, "num_texts": 2, "num_curated": 2, "rejected_documents": {}, "rejected_texts": {}, "rejected_in_curation": {}}},
        "leaks": {"gsm8k": {"num_leaked": 0, "by_benchmark": {}}}, "distillation": {"initial": taught, "boost": taught},
        "filter": group | {"by_source": {"web": group}, "by_prompt": {"grade": group}, "by_mode": {"cot": group}},
        "selection": {"selected": share, "not_selected": share, "all": share, "chance_by_random": 0.5, "on_topic": "likeness", "num_without_topic": 1234, "strategies": {}, "overlap": {}},
        "value": {"num_valued": 1, "num_candidates": 1, "rejected": {}, "targets": {"gsm8k": 3}, "reliability": 0.1, "spearman": {"gradient_norm_to_length": 0.1, "value_to_length": 0.1}},
    }  # fmt: skip
    picture = draw_overlap({"a": {"a": 1.0}})
    rows = {
        "columns": PROBLEM_COLUMNS,
        "prose": PROBLEM_PROSE,
        "rows": [problem_cells(i) for i in range(num_problems)],
        "texts": texts,
        "total": num_problems,
    }
    return render_page(
        summaries=[SUMMARY], example=EXAMPLE, profile=PROFILE, m=metrics, tasks=tasks, pictures=dict.fromkeys(("curves", "values", "value_groups", "overlap", "funnel", "accuracy"), picture),
        top=[], bottom=[], leaked=[], students=("llama",), suites=[{"student": "llama", "mode": "cot", "a": ACCURACY, "b": ACCURACY | {"jiuzhang_average": 50.0}, "untrained": ACCURACY if has_untrained else None}],
        **readings(has_untrained),
        comparability=[{"student": "llama", "obstacles": {"gsm8k_cot": "prompts"}, "facts": [("model", "x", HOSTILE)]}],
        problems_shown=[num_problems, num_problems], flips_shown=[len(flips), len(flips)], problems_data=pack(rows), flips_data=pack({"columns": FLIP_COLUMNS, "prose": FLIP_PROSE, "rows": flips}),
    )  # fmt: skip


def test_the_untrained_model_losses_and_votes_are_shown() -> None:
    page, without = page_of(3), page_of(3, has_untrained=False)
    for shown in (
        "with, minus untrained",
        "-0.123 [-0.200, -0.050]",
        "no reference solutions in words",
        "maj@8",
        "61.0% [30.0%, 80.0%]",
    ):
        assert shown in page
    assert "its weights are random" not in page
    assert "its weights are random" in without
    assert "minus untrained" not in without


@pytest.mark.parametrize("has_untrained", [True, False])
def test_the_page_needs_nothing_else(has_untrained: bool) -> None:
    """No address is fetched: every picture, style and script is inside, and the tags are closed."""
    page = page_of(has_untrained=has_untrained)
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", page)
    assert "@import" not in page
    assert "url(" not in page
    open_tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, _: object) -> None:
            if tag not in ("meta", "img", "br", "input"):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Tags().feed(page)
    assert open_tags == []


def test_texts_are_escaped_and_equal_content_is_equal_bytes() -> None:
    page = page_of()
    assert HOSTILE not in page
    assert page == page_of()
    assert "alarm" in page.partition("</style>")[2]
    assert draw_curves({}).startswith("data:image/png;base64,")


def test_the_first_screen_tells_what_was_trained_and_what_it_gained() -> None:
    top = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page_of(3).partition("<nav>")[0].partition("<h1>")[2]))
    for shown in (
        "llama (913,152 parameters) gains +44.6 points [+42.9, +46.3] from pre-training on synthetic problems: 51.5% right with it, 6.9% without.",
        "4 tasks (benchmark and mode), 540 problems", "pretrain llama: 3,177 examples, 1.5M tokens.", "Cost of teaching 0.50 USD", "4 kept of 6",
        "laptop, 1 value changed: finetune.num_epochs", "Seeds 1, 2",
    ):  # fmt: skip
        assert shown in top


@pytest.mark.parametrize(("low", "told"), [(-1.0, "which chance may explain"), (0.5, "")])
def test_a_gain_that_chance_may_explain_says_so(low: float, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUMMARY, "low", low)
    assert ("which chance may explain" in page_of(3)) == bool(told)


def test_the_top_tells_the_commit_its_date_and_what_was_edited_since(monkeypatch: pytest.MonkeyPatch) -> None:
    top = page_of(3).partition("<nav>")[0]
    assert "<code>75c692b0a1</code>, 2026-11-27; edited since: params.yaml" in top
    monkeypatch.setitem(PROFILE, "origin", ORIGIN | {"edited": []})
    assert "edited since" not in page_of(3)
    monkeypatch.setitem(PROFILE, "origin", ORIGIN | {"commit": "", "date": ""})
    assert "unknown: not made in Git" in page_of(3)


def test_headings_stand_in_order_and_what_can_be_used_has_a_name() -> None:
    page = page_of(3)
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("alt=" in tag for tag in re.findall(r"<img [^>]*>", page))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page_of(), encoding="utf-8")
    with Chromium() as browser:
        yield browser, path


@needs_chromium
@pytest.mark.parametrize("width", [360, 390, 1280, 1920])
@pytest.mark.parametrize("dark", [False, True])
def test_no_screen_scrolls_sideways_and_dark_is_dark(opened: tuple[Chromium, Path], width: int, dark: bool) -> None:
    browser, path = opened
    browser.open(path, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    ground, ink = (
        json.loads(browser.run(f"JSON.stringify(getComputedStyle(document.body).{name}.match(/\\d+/g).map(Number))"))
        for name in ("backgroundColor", "color")
    )
    assert (sum(ground) < sum(ink)) == dark
    assert browser.run("document.title") == "Nine Chapters: report"


@needs_chromium
def test_lists_filter_search_sort_and_show_a_row(opened: tuple[Chromium, Path]) -> None:
    browser, path = opened
    browser.open(path)
    count = "document.querySelector('#problems-browser .note').textContent"
    first = "document.querySelector('#problems-browser .row').textContent"
    assert browser.run(count) == "300 of 300"
    assert browser.run("document.querySelectorAll('#problems-browser .row').length") < 40
    browser.run(
        "(() => { const s = document.querySelector('#problems-browser select[aria-label=verdict]'); s.selectedIndex = 2; s.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run(count) == "100 of 300"
    assert "equation" in browser.run(first)
    browser.run(
        "(() => { const s = document.querySelector('#problems-browser select[aria-label=sort]'); s.value = 'value descending'; s.dispatchEvent(new Event('change')); })()"
    )
    assert "Problem 297" in browser.run(first)
    browser.run(
        "(async () => { const i = document.querySelector('#problems-browser input'); i.value = 'problem 30'; i.dispatchEvent(new Event('input')); await new Promise(r => setTimeout(r, 400)); })()"
    )
    assert browser.run(count) == "1 of 300"
    browser.run("document.querySelector('#problems-browser .row').click()")
    whole = browser.run("document.getElementById('whole').textContent")
    assert "Text 0" in whole
    assert "CC0-1.0" in whole
    assert "boosted" in whole
    browser.run("document.getElementById('whole').close(); document.querySelector('#flips-browser .row').click()")
    assert "generation" in browser.run("document.getElementById('whole').textContent")
    assert browser.run("document.querySelectorAll('#whole mark').length") == 2
    assert browser.run("document.title") == "Nine Chapters: report"  # nothing that a model wrote was run


@needs_chromium
def test_formulas_are_drawn_and_their_source_is_one_click_away(opened: tuple[Chromium, Path]) -> None:
    browser, path = opened
    browser.open(path)
    browser.run("document.querySelector('#problems-browser .row').click()")
    shown = "[...document.querySelectorAll('#whole .prose')][1]"
    assert browser.run(f"{shown}.querySelectorAll('math').length") == 1
    assert browser.run(f"{shown}.querySelector('mfrac').getBoundingClientRect().height") > 10
    assert browser.run(f"{shown}.textContent.endsWith('It costs $5 and $7.')")
    typed = f"{shown}.nextElementSibling"
    assert not browser.run(f"{typed}.querySelector('pre').checkVisibility()")
    browser.run(f"{typed}.querySelector('summary').click()")
    assert browser.run(f"{typed}.querySelector('pre').checkVisibility()")
    assert browser.run(f"{typed}.querySelector('pre').textContent").startswith("3 + 4 = 7, so $\\frac{14}{2} = 7$.")


@needs_chromium
def test_tables_sort_by_what_stands_in_them(opened: tuple[Chromium, Path]) -> None:
    browser, path = opened
    browser.open(path)
    column = "[...document.querySelectorAll('#accuracy table.sortable tbody tr')].map(row => row.cells[0].textContent).join()"
    assert browser.run(column) == "gsm8k,math-oai,svamp"
    browser.run("document.querySelectorAll('#accuracy table.sortable th')[3].click()")
    assert browser.run(column) == "math-oai,svamp,gsm8k"
    browser.run("document.querySelectorAll('#accuracy table.sortable th')[3].click()")
    assert browser.run(column) == "gsm8k,svamp,math-oai"


CONTRASTS = """(() => {
  const light = rgb => rgb.map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const ground = element => { for (; element; element = element.parentElement) { const c = numbers(getComputedStyle(element).backgroundColor); if (c[3] !== 0) return c.slice(0, 3); } };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) || !element.checkVisibility()) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color).slice(0, 3)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(`${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}`);
  }
  return JSON.stringify(low);
})()"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_on_their_ground(opened: tuple[Chromium, Path], dark: bool) -> None:
    """WCAG AA: 4.5 : 1."""
    browser, path = opened
    browser.open(path, dark=dark)
    assert json.loads(browser.run(CONTRASTS)) == []
    browser.run("document.querySelector('#problems-browser .row').click()")
    assert json.loads(browser.run(CONTRASTS)) == []


@needs_chromium
def test_on_a_narrow_screen_a_row_is_a_card_that_names_its_columns(opened: tuple[Chromium, Path]) -> None:
    browser, path = opened
    browser.open(path, width=390)
    row = "document.querySelector('#accuracy table tbody tr')"
    assert browser.run(f"getComputedStyle({row}.cells[3], '::before').content") == '"with"'
    assert browser.run(
        f"[...{row}.cells].every(cell => !cell.textContent || cell.getBoundingClientRect().right <= 390)"
    )
    hidden = "[...document.querySelectorAll('.scroll')].filter(part => part.scrollWidth > part.clientWidth).length"
    assert browser.run(hidden) == 0
    browser.run("document.querySelectorAll('#accuracy table.sortable th')[3].querySelector('button').click()")
    assert browser.run(f"{row}.cells[0].textContent") == "math-oai"
    browser.open(path, width=1280)
    assert browser.run(f"getComputedStyle({row}).display") == "table-row"


@needs_chromium
def test_the_lists_can_be_walked_with_the_keyboard(opened: tuple[Chromium, Path]) -> None:
    browser, path = opened
    browser.open(path)
    browser.run("document.querySelector('#problems-browser .row').focus()")
    press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}))"
    for _ in range(40):
        browser.run(press)
    assert browser.run("document.activeElement.dataset.place") == "40"
    assert "Problem 40:" in browser.run("document.activeElement.textContent")
    assert browser.run("document.querySelector('#problems-browser .view').scrollTop") > 1000


def test_the_page_says_where_the_studies_are() -> None:
    """It cannot show them: a stage that depends on all studies would run them."""
    told = page_of().partition('<section id="studies">')[2].partition("</section>")[0]
    assert "<code>ninechapters study</code>" in told
    assert "<code>studies/index.html</code>" in told
