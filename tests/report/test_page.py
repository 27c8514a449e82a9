"""Tests of the report: what it says, and what a real Chromium makes of it."""

from html import escape
from pathlib import Path

import made_up
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from sentiment.evaluation import paired_tests
from sentiment.models import MODELS
from sentiment.report import page as report
from sentiment.report import wording


def render(**changed: object) -> str:
    return report.render(**made_up.content() | changed)


def test_axis_begins_and_ends_at_a_tick():
    axis = report.axis([0.823, 0.886])
    assert axis.ticks == pytest.approx([0.82, 0.84, 0.86, 0.88, 0.90])
    assert [axis(0.82), axis(0.86), axis(0.90)] == [0, 50, 100]
    assert report.axis([0.7, 1.0]).ticks == pytest.approx([0.7, 0.8, 0.9, 1.0])
    assert len(report.axis([0.5]).ticks) == 2


def test_scores_are_accuracies_with_intervals():
    scores = report.scores(made_up.details()["models"])
    assert [*scores] == [*MODELS]
    score = scores["blend"]
    test = made_up.details()["models"]["blend"]["test"]
    assert score.accuracy == pytest.approx(test["accuracy"])
    right = test["accuracy"] * made_up.REVIEWS
    assert (score.low, score.high) == paired_tests.wilson_interval(right, made_up.REVIEWS)


def test_ngrams_are_split_by_sign_the_heaviest_first():
    table = pd.DataFrame({"ngram": ["bad", "dull", "fine", "good"], "weight": [-2, -1, 1, 2]})
    sides = report.split_by_sign(table, 1)
    assert [sides[label]["ngram"].tolist() for label in ("positive", "negative")] == [
        ["good"],
        ["bad"],
    ]


def test_neighbours_are_of_influential_words_and_of_plain_ones():
    assert [*made_up.content()["neighbours"]] == ["great", "worst", "not", "but", "plot", "music"]


def test_reviews_are_quoted_by_their_numbers():
    tables = {"a": pd.DataFrame({"label": [1, 0]}, index=[3, 1]), "b": pd.DataFrame({"label": []})}
    quoted = report.with_texts(tables, iter(["zero", "one", "two", "three"]))
    assert quoted["a"].text.tolist() == ["three", "one"]
    assert quoted["b"].empty


def test_the_same_content_is_the_same_page():
    assert render() == render()


def test_nothing_of_a_review_is_markup():
    page = render()
    assert "<script>document.title" not in page
    assert 'src="https' not in page
    assert "not &lt;b&gt;" in page


def test_a_spread_is_shown_where_there_is_more_than_one_seed():
    page = render()
    assert "Results over 3 seeds" in page
    spread = made_up.details()["seeds"]["accuracy"]["blend"]["test"]
    assert f"{100 * spread['mean']:.1f} ± {100 * spread['standard_deviation']:.2f}" in page
    for key, pairs in made_up.details()["seeds"]["comparison"].items():
        assert all(escape(wording.seeds_sentence(key, bag, pairs[bag])) in page for bag in pairs)
    alone = {key: value for key, value in made_up.details().items() if key != "seeds"}
    assert 'id="seeds"' not in render(details=alone)


def test_every_paired_test_is_there_as_a_sentence():
    page = render()
    section = page[page.index('id="comparison"') : page.index('id="seeds"')]
    for key, pairs in made_up.details()["comparison"].items():
        for bag, pair in pairs.items():
            assert escape(wording.comparison_sentence(key, bag, pair)) in section


def test_the_blend_is_shown_with_its_weight():
    page = render()
    assert "weight in it, 30%" in page
    assert page.count("</i>blend</span>") == 4  # in the first figure, a legend and two tables


def test_a_network_fitted_again_on_all_reviews_is_described_as_one():
    parameters = made_up.content()["parameters"] | {"train.refit": True}
    sentence = "a network trained on the training and the validation reviews"
    assert sentence not in render()
    assert sentence in render(parameters=parameters)


def test_the_sample_is_marked_as_one():
    assert "built-in sample" not in render()
    assert "not results on real reviews" in render(source="sample")


def test_reviews_of_ones_own_are_described_by_file_counts_and_labels():
    details = made_up.details()
    counts = details["counts"] | {"read": 403, "dropped_from_training": 3}
    unrated = {
        kind: {key: rows.drop(columns="rating") for key, rows in made_up.content()[kind].items()}
        for kind in ("mistakes", "only_right")
    }
    page = render(source="reviews/own.csv", details=details | {"counts": counts}, **unrated)
    assert "3 were dropped from training" in page
    assert "<code>reviews/own.csv</code>" in page
    assert "Positive." in page
    assert "Rated" not in page
    assert "were dropped" not in render()


MADE_UP, REAL = "made up", pytest.param("data/report/index.html", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=[MADE_UP, REAL])
def address(request, tmp_path_factory):
    path = Path(request.param)
    if request.param == MADE_UP:
        path = tmp_path_factory.mktemp("report") / "index.html"
        path.write_text(render())
    if not path.is_file():
        pytest.skip(f"there is no {path}: make repro")
    return path.resolve().as_uri()


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(scope="module", params=[360, 768, 1400])
def page(request, browser, address, scheme):
    """The report, opened, every review unfolded; its requests and complaints beside it."""
    page = browser.new_page(viewport={"width": request.param, "height": 800}, color_scheme=scheme)
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    yield page
    page.close()


def test_browser_has_no_complaint_and_asks_for_nothing(page, address):
    page.get_by_label("Your review").fill("Not bad at all.")
    page.locator("#reader button").last.click()
    assert page.complaints == []
    assert {url for url in page.asked if not url.startswith("data:")} == {address}
    assert page.title() == "Does a recurrent network beat a bag of words?"


OVERFLOWING = """() => [...document.querySelectorAll("body *")]
    .filter(e => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 120))"""

UNCUT = "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"

# Rows in which the texts of two neighbouring cells touch.
COLLIDING = """() => {
    const texts = cell => {
        const [range, walker] = [document.createRange(), document.createTreeWalker(cell, 4)];
        const boxes = [];
        while (walker.nextNode()) {
            range.selectNodeContents(walker.currentNode);
            boxes.push(...range.getClientRects());
        }
        return boxes;
    };
    const touch = (cell, next) => next && texts(cell).some(one => texts(next).some(two =>
        one.bottom > two.top && two.bottom > one.top && two.left < one.right + 2));
    return [...document.querySelectorAll(".numbers tr")]
        .filter(row => [...row.querySelectorAll("td:not(.strip)")]
            .some((cell, i, cells) => touch(cell, cells[i + 1])))
        .map(row => row.textContent);
}"""


def test_nothing_overflows(page):
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(UNCUT)


def test_the_numbers_of_a_table_keep_their_distance(page):
    assert page.evaluate(COLLIDING) == []


def test_the_first_screen_has_the_whole_answer(page):
    bottom = "document.querySelector('.forest').getBoundingClientRect().bottom + scrollY"
    assert page.evaluate(bottom) <= page.viewport_size["height"]


def test_axe_finds_no_violation(page):
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_printed_it_has_no_controls(page):
    size = page.viewport_size
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 1000})  # A4 within its margins
    assert not page.locator("nav, textarea, input, button").filter(visible=True).count()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(UNCUT)
    page.emulate_media(media="screen")
    page.set_viewport_size(size)
