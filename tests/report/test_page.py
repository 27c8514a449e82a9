"""Tests of the report: what it says, and what a real Chromium makes of it."""

import io
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from sentiment.evaluation import examples, paired_tests, slices
from sentiment.report import page as report
from sentiment.report.figures import BLUE, ORANGE
from sentiment.rnn.backend import keras
from sentiment.rnn.state_tracer import StateTracer
from sentiment.text import Encoder

HOSTILE = """<script>document.title = 1</script><img src="https://example.org/x.png"> "'&<br />"""
WORDS = ["the", "film", "is", "not", "dull", "but", "plot", "music", "good", "worst", "great"]
MODELS = list(report.COMPARED)


def made_up_reviews():
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, 12)).capitalize() + "!" for _ in range(200)]
    table = pd.DataFrame(
        {"text": texts, "label": np.arange(200) % 2, "rating": 1 + np.arange(200) % 10}
    )
    return table.assign(**{model: generator.random(200) for model in MODELS})


def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((16,), dtype="int32"),
            keras.layers.Embedding(30, 4, embeddings_initializer="normal"),
            keras.layers.SimpleRNN(5, kernel_initializer="orthogonal"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def metrics(reviews):
    right = examples.correct(reviews, MODELS)
    counts = dict.fromkeys(
        ("true_negatives", "true_positives", "false_negatives", "false_positives"), 50
    )
    scores = {"roc_auc": 0.9, "log_loss": 0.3, "expected_calibration_error": 0.02}
    number = reviews.index
    facts = reviews.assign(steps=number, negated=number % 3 == 0, copied=number < 5)
    groups = slices.slices(facts, 150)
    read = {"read": 400, "dropped_from_training": 0}
    split = {"reviews": 200, "positive": 100}
    models = {model: {"test": scores | {"confusion": counts}} for model in MODELS}
    models["blend"]["weight"] = 0.3
    return models | {
        "counts": read | {"train": split, "test": split},
        "slices": slices.accuracy_by(groups, right),
        "comparison": {
            name: {
                bag: paired_tests.compare(right[name], right[bag], 0, "The network", "the bag")
                for bag in ("baseline", "baseline_words")
            }
            for name in ("recurrent", "recurrent_best_epoch", "blend")
        },
        "seeds": over_seeds(),
    }


def over_seeds():
    spread = paired_tests.spread({42: 0.84, 43: 0.862, 44: 0.8})
    pair = {"sentence": "Over 3 seeds, the network is on average 1.0 points worse than the bag."}
    bags = {"baseline": pair, "baseline_words": pair}
    return {
        "accuracy": {model: {"test": spread, "validation": spread} for model in MODELS},
        "comparison": dict.fromkeys(("recurrent", "recurrent_best_epoch", "blend"), bags),
    }


@pytest.fixture(scope="module")
def content():
    reviews = made_up_reviews()
    encoder = Encoder({w: i for i, w in enumerate(WORDS, 1)}, 30, 0, 16, "pre", "pre")
    reader = StateTracer(network())
    telling = pd.DataFrame(
        {"ngram": ["worst", "not <b>", "great"], "weight": [-9.5, -3, 4], "reviews": [1200, 30, 8]}
    )
    image = io.BytesIO()
    Image.new("RGB", (900, 800), "white").save(image, "PNG")
    long = reviews.assign(text=HOSTILE + " word" * 400 + " " + "x" * 400)[:2]
    return {
        "source": "imdb",
        "metrics": metrics(reviews),
        "figures": dict.fromkeys(("history", "roc", "calibration"), image.getvalue()),
        "history": report.learning(
            pd.DataFrame(
                {"epoch": [1, 2, 3], "accuracy": [0.6, 0.8, 0.9], "val_accuracy": [0.6, 0.8, 0.7]}
            )
        ),
        "telling": report.sides(telling, 5),
        "mistakes": dict.fromkeys(report.MODELS, long),
        "only_right": {("recurrent", "baseline_words"): long},
        "traces": report.traces(reader, encoder, reviews),
        "neighbours": report.neighbourhoods(reader.vectors, encoder, report.sides(telling, 5)),
        "parameters": {"train.units": 5, "train.embedding_dim": 4, "train.refit": False},
        "made_from": {"data/raw/reviews.parquet": "0" * 32},
    }


def pair(difference, p=0.0):
    return {"difference": difference, "mcnemar_mid_p": p}


@pytest.mark.parametrize(
    ("pairs", "answer"),
    [
        ([pair(-0.1), pair(-0.2)], "No."),
        ([pair(0.1), pair(0.2)], "Yes."),
        ([pair(0.1), pair(-0.2)], "That depends."),
        ([pair(0.1, 0.3), pair(-0.2, 0.06)], "Too close to call."),
        ([pair(-0.1), pair(0.01, 0.3)], "No."),
        ([pair(0.1), pair(-0.01, 0.3)], "That depends."),
    ],
)
def test_verdict(pairs, answer):
    assert report.verdict({"network": dict(enumerate(pairs))})[0] == answer


def test_axis_begins_and_ends_at_a_tick():
    axis = report.axis([0.823, 0.886])
    assert axis.ticks == pytest.approx([0.82, 0.84, 0.86, 0.88, 0.90])
    assert [axis(0.82), axis(0.86), axis(0.90)] == [0, 50, 100]
    assert report.axis([0.7, 1.0]).ticks == pytest.approx([0.7, 0.8, 0.9, 1.0])
    assert len(report.axis([0.5]).ticks) == 2


def test_scores_are_accuracies_with_intervals(content):
    score = report.scores(content["metrics"])["recurrent"]
    assert score.accuracy == 0.5
    assert score.low < 0.5 < score.high


def test_heat_map_is_a_pixel_a_unit_and_step():
    image = Image.open(io.BytesIO(report.heat_map(np.array([[-1, 0], [0, 1], [1, 0]]))))
    assert image.size == (3, 2)
    colours = [
        "#{:02X}{:02X}{:02X}".format(*image.convert("RGB").getpixel((x, 0))) for x in range(3)
    ]
    assert colours == [ORANGE, "#FFFFFF", BLUE]


def test_traces_give_back_the_text_and_the_answer(content):
    model = network()
    for trace in content["traces"]:
        assert "".join(text for text, _, _ in trace.pieces) == trace.review["text"]
        steps = [step for _, step, _ in trace.pieces if step is not None]
        assert steps == list(range(1, len(trace.beliefs)))
        tokens = [[1] + [WORDS.index(w) + 4 for w in trace.review["text"].lower()[:-1].split()]]
        row = keras.utils.pad_sequences(tokens, 16)
        assert trace.beliefs[-1] == pytest.approx(model.predict(row, verbose=0)[0, 0], abs=1e-6)


def test_traces_are_of_four_kinds(content):
    kinds = {
        (t.review["label"], t.review["baseline_words"] >= 0.5, t.review["recurrent"] >= 0.5)
        for t in content["traces"]
    }
    assert len(kinds) == len(content["traces"]) == 4


def test_without_short_reviews_there_is_nothing_to_trace():
    encoder = Encoder({"film": 1}, 30, 0, 16, "pre", "pre")
    assert report.candidates(encoder, ["film " * 200, "<br />"]) == {}
    assert report.traces(StateTracer(network()), encoder, made_up_reviews()[:0]) == []


def test_candidates_are_the_first_short_reviews_without_markup():
    encoder = Encoder({"film": 1}, 30, 0, 16, "pre", "pre")
    texts = ["film " * 79, "film " * 80, "a <br /> b", *["film"] * 2000]
    found = report.candidates(encoder, texts)
    assert list(found) == [0, *range(3, 2 + report.CANDIDATES)]
    assert found[0] == texts[0]


def test_reviews_are_quoted_by_their_numbers():
    tables = {"a": pd.DataFrame({"label": [1, 0]}, index=[3, 1]), "b": pd.DataFrame({"label": []})}
    quoted = report.quoted(tables, iter(["zero", "one", "two", "three"]))
    assert quoted["a"].text.tolist() == ["three", "one"]
    assert quoted["b"].empty


def test_the_same_content_is_the_same_page(content):
    assert report.render(**content) == report.render(**content)


def test_nothing_of_a_review_is_markup(content):
    page = report.render(**content)
    assert "<script>document.title" not in page
    assert 'src="https' not in page
    assert "not &lt;b&gt;" in page


def test_a_spread_is_shown_where_there_is_more_than_one_seed(content):
    page = report.render(**content)
    assert "The same from 3 seeds" in page
    assert "83.4 ± 3.14" in page
    assert "80.0 to 86.2" in page
    assert "Over 3 seeds, the network is on average 1.0 points worse than the bag." in page
    alone = {key: value for key, value in content["metrics"].items() if key != "seeds"}
    page = report.render(**content | {"metrics": alone})
    assert "seeds" not in page.lower().split("where this is from")[0]


def test_the_blend_stands_beside_the_models(content):
    page = report.render(**content)
    assert "weight in it, 30%" in page
    assert page.count("</i>blend</span>") == 4  # in the first figure, a legend and two tables


def test_the_sample_says_that_it_is_one(content):
    assert "built-in sample" not in report.render(**content)
    assert "not results on real reviews" in report.render(**content | {"source": "sample"})


def test_reviews_of_ones_own_say_where_from_how_many_and_what_they_are(content):
    counts = content["metrics"]["counts"] | {"read": 403, "dropped_from_training": 3}
    unrated = {
        kind: {key: rows.drop(columns="rating") for key, rows in content[kind].items()}
        for kind in ("mistakes", "only_right")
    }
    own = {"source": "reviews/own.csv", "metrics": content["metrics"] | {"counts": counts}}
    page = report.render(**content | own | unrated | {"traces": []})
    assert "3 more were dropped from training" in page
    assert "<code>reviews/own.csv</code>" in page
    assert "Praise." in page
    assert "Rated" not in page
    assert "dropped" not in report.render(**content)


def test_a_network_that_cannot_be_read_leaves_the_reading_out(content):
    page = report.render(**content | {"traces": [], "neighbours": {}})
    assert "How the network reads" not in page
    assert "#reading" not in page


MADE_UP, REAL = "made up", pytest.param("data/report/index.html", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=[MADE_UP, REAL])
def address(request, content, tmp_path_factory):
    path = Path(request.param)
    if request.param == MADE_UP:
        path = tmp_path_factory.mktemp("report") / "index.html"
        path.write_text(report.render(**content))
    if not path.is_file():
        pytest.skip(f"there is no {path}: make repro")
    return path.resolve().as_uri()


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[360, 1400])
def page(request, browser, address, scheme):
    """The report, opened, every review unfolded; what it asked for and complained of beside it."""
    page = browser.new_page(viewport={"width": request.param, "height": 800}, color_scheme=scheme)
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    yield page
    page.close()


def test_browser_is_content_and_asks_for_nothing(page, address):
    assert page.complaints == []
    assert {url for url in page.asked if not url.startswith("data:")} == {address}
    assert page.title() == "Does a recurrent network beat a bag of words?"


OVERFLOWING = """() => [...document.querySelectorAll("body *")]
    .filter(e => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 120))"""


UNCUT = "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"


def test_nothing_overflows(page):
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(UNCUT)


def test_the_first_screen_has_the_whole_answer(page):
    bottom = "document.querySelector('.forest').getBoundingClientRect().bottom"
    assert page.evaluate(bottom) <= page.viewport_size["height"]


def test_axe_finds_no_violation(page):
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_printed_it_has_no_controls(page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 1000})  # A4 within its margins
    assert not page.locator("nav, .trace input").filter(visible=True).count()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(UNCUT)


def test_slider_and_words_move_through_a_reading(page):
    trace = page.locator(".trace").first
    slider, words = trace.get_by_role("slider"), trace.locator("[data-step]")
    slider.fill("1")
    assert words.first.text_content() in trace.locator("output").text_content()
    words.nth(3).hover()
    assert slider.input_value() == words.nth(3).get_attribute("data-step")
    assert words.nth(3).get_attribute("data-belief") in trace.locator("output").text_content()
    slider.fill("0")
    assert trace.locator("output").text_content() == "before the first word"
    assert trace.locator(".at").count() == 0


def test_every_paired_test_is_there_as_a_sentence(content):
    page = report.render(**content)
    section = page[page.index('id="comparison"') : page.index('id="seeds"')]
    compared = content["metrics"]["comparison"].values()
    for sentence in (pair["sentence"] for bags in compared for pair in bags.values()):
        assert escape(sentence) in section


def test_a_network_fitted_again_on_all_reviews_is_called_that(content):
    said = "a network trained on all training reviews"
    again = content["parameters"] | {"train.refit": True}
    assert said not in report.render(**content)
    assert said in report.render(**content | {"parameters": again})
