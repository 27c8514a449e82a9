"""Tests of the section that reads a text in the page: in Chromium, it is the same two models."""

from html import unescape
from pathlib import Path
from types import SimpleNamespace

import made_up
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentiment import paths
from sentiment.bags.models import load_bag, predict_with_bag
from sentiment.models import NETWORK, SAVED
from sentiment.report import page as report
from sentiment.report import reader, wording
from sentiment.rnn.backend import keras
from sentiment.rnn.inference import of_model
from sentiment.rnn.model import load_network
from sentiment.rnn.state_tracer import StateTracer, locate_words
from sentiment.text import OOV, PAD, Encoder

TOLERANCE = 1e-5  # of a probability
READ = """texts => texts.map(read).map(({ row, words, answer, weighed }) =>
    ({ row: [...row], words: words.map(({ text, step }) => [text, step ?? null]),
       network: answer, bag: weighed.probability }))"""
ODD = [
    "<br />",
    "it's",
    "It's",
    "FILM",
    "É",
    "é",
    "İX",
    "\u212aNOT",
    "ﬁlm",
    "🎬",
    "👩‍👩‍👧",
    "not\rbad",
    "\x00",
    "\N{RIGHT SINGLE QUOTATION MARK}",
]
TEXTS = st.one_of(
    st.text(), st.lists(st.sampled_from([*made_up.WORDS, *made_up.RARE, *ODD])).map(" ".join)
)
BATCHES = st.lists(TEXTS, min_size=10, max_size=10)  # of one size: Keras compiles each anew
LONG = "not a great film, but music " * 2000  # 12,000 words


def assert_same(page, encoder: Encoder, network, bag, texts: list[str]) -> None:
    """Assert that the page makes of texts what the models in Python do."""
    found = page.evaluate(READ, texts)
    rows = encoder.rows(texts)
    np.testing.assert_array_equal([one["row"] for one in found], rows)
    of_network, of_bag = network.predict_on_batch(rows)[:, 0], predict_with_bag(bag, rows)
    np.testing.assert_allclose([one["network"] for one in found], of_network, atol=TOLERANCE)
    np.testing.assert_allclose([one["bag"] for one in found], of_bag, atol=TOLERANCE)
    for text, one in zip(texts, found, strict=True):
        first = int(np.argmax(encoder.rows([text])[0] != PAD))
        located = [
            [text[word.start : word.end], None if word.step is None else word.step - first]
            for word in locate_words(encoder, text)
        ]
        assert one["words"] == located


ENCODERS = [
    made_up.encoder(),
    made_up.encoder(padding="post"),
    made_up.encoder(truncating="post", skip_top=5),
    made_up.encoder(padding="post", truncating="post"),
]


@pytest.fixture(scope="module", params=ENCODERS, ids=["pre", "post", "skipped", "post post"])
def encoder(request):
    return request.param


def open_page(browser, folder: Path, encoder: Encoder):
    path = folder / "index.html"
    path.write_text(report.render(**made_up.content() | {"reader": made_up.read(encoder)}))
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(path.as_uri())
    return page


@pytest.fixture(scope="module")
def small(browser, encoder, tmp_path_factory):
    """A page of the made-up models, behind each of the encoders."""
    page = open_page(browser, tmp_path_factory.mktemp("small"), encoder)
    yield page
    page.close()


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A page of the made-up models."""
    page = open_page(browser, tmp_path_factory.mktemp("page"), made_up.encoder())
    yield page
    page.close()


@settings(deadline=None, max_examples=30)
@given(texts=BATCHES)
@example(texts=[*[""] * 9, LONG])
def test_any_text_is_read_as_in_python(small, encoder, texts):
    assert_same(small, encoder, made_up.network(), made_up.bag(), texts)


def test_the_sample_s_page_reads_the_sample_s_reviews(browser, finished):
    table = pd.read_parquet(finished.root / paths.PREDICTIONS)
    test = table[table["split"] == "test"][:1000]
    texts = pd.read_parquet(finished.root / paths.REVIEWS).set_index("id")["text"][test["id"]]
    page = browser.new_page()
    page.goto((finished.root / paths.REPORT).as_uri())
    found = pd.DataFrame(page.evaluate(READ, [*texts]))
    page.close()
    np.testing.assert_allclose(found["network"], test[NETWORK], atol=TOLERANCE)
    np.testing.assert_allclose(found["bag"], test["bag_of_words"], atol=TOLERANCE)


REAL = Path(paths.REPORT)


@pytest.fixture(scope="module")
def real(browser):
    """The page of the real reviews, with the models that are in data/."""
    if not REAL.is_file():
        pytest.skip(f"there is no {REAL}: make repro")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(REAL.resolve().as_uri())
    models = (load_network(SAVED[NETWORK].path), load_bag(SAVED["bag_of_words"].path))
    yield page, Encoder.load(paths.ENCODER), *models
    page.close()


@pytest.mark.slow
def test_a_thousand_real_reviews_are_read_as_in_python(real):
    page, encoder, network, bag = real
    table = pd.read_parquet(paths.REVIEWS, filters=[("split", "==", "test")])
    texts = table["text"].iloc[:: len(table) // 1000].tolist()[:1000]
    assert len(texts) == 1000
    assert_same(page, encoder, network, bag, texts)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(texts=BATCHES)
@example(texts=[*[""] * 9, LONG])
def test_any_text_is_read_as_in_python_by_the_real_models(real, texts):
    assert_same(*real, texts)


CHANGES = """async text => {
    box.value = text.slice(0, -1);
    box.oninput();
    let changes = 0;
    const observer = new MutationObserver(records => { changes += records.length; });
    observer.observe(section, { subtree: true, childList: true, characterData: true,
                                attributes: true });
    box.value = text;
    box.oninput();
    await new Promise(requestAnimationFrame);
    return changes;
}"""


@pytest.mark.slow
def test_a_letter_at_the_end_of_500_words_changes_little_of_the_page(real):
    page = real[0]
    page.locator("#reader button").last.click()
    text = page.get_by_label("Your review").input_value()
    assert page.evaluate("shown.count") == 500
    assert page.evaluate(CHANGES, text) < 200


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", wording.MINUS)


def trace(text: str):
    """Return the own steps of a text: states, most positive units first, and probabilities."""
    tracer, row = StateTracer(of_model(made_up.network())), made_up.encoder().rows([text])
    read, own = tracer.trace(row), np.flatnonzero(row[0] != PAD)
    return read.states[0, own][:, tracer.unit_order], read.probabilities[0, own]


def test_what_is_typed_is_answered_by_both_models(page):
    text = "Great music, it's not xyz dull: not dull!"
    page.get_by_label("Your review").fill(text)
    row = made_up.encoder().rows([text])
    answers = (
        made_up.network().predict(row, verbose=0)[0, 0],
        predict_with_bag(made_up.bag(), row)[0],
    )
    shown = page.locator(".probability").all_text_contents()
    for probability, answer in zip(answers, shown, strict=True):
        label = "positive" if probability >= 0.5 else "negative"
        assert answer.split() == [label, f"{probability:.2f}", "probability", "of", "positive"]
    assert page.locator(".words").text_content() == text
    assert page.locator(".words .unknown").all_text_contents() == ["it's"]
    assert page.locator(".words .skipped").all_text_contents() == ["xyz"]
    assert page.locator(".labels span").all_text_contents() == (
        ["(start)", "Great", "music", "it's", "not", "dull", "not", "dull"]
    )


def test_the_bag_shows_each_word_with_its_weight_and_the_sum(page):
    page.get_by_label("Your review").fill("Not great, not dull.")
    weights, bias = made_up.bag()[-1].coef_[0], made_up.bag()[-1].intercept_[0]
    added = {
        word: count * weights[made_up.encoder().sequence(word)[1]]
        for word, count in {"not": 2, "great": 1, "dull": 1}.items()
    }
    chips = page.locator(".chips li").all()
    found = {
        chip.locator("b").text_content(): chip.locator("small").text_content() for chip in chips
    }
    assert found == {
        f"{word} \N{MULTIPLICATION SIGN}2" if word == "not" else word: signed(value)
        for word, value in sorted(added.items(), key=lambda item: -abs(item[1]))
    }
    total = sum(added.values()) + bias
    assert f"log-odds {signed(total)}, " in page.locator(".sum").text_content()


def test_a_word_s_effect_on_the_state_is_told_from_its_numbers(page):
    text = "The film was not dull."
    page.get_by_role("button", name=text).click()
    states, probabilities = trace(text)
    signs = int(np.sum((states[4] > 0) != (states[3] > 0)))
    row = int(np.argmax(np.abs(states[4] - states[3])))
    without = trace("The film was dull.")[1][-1]
    sentence = page.locator(".step").text_content()
    assert f"Reading “not” changes the sign of {signs} of the 5 hidden units." in sentence
    before, after = signed(states[3, row]), signed(states[4, row])
    assert f"row {row + 1} of the heat map, from {before} to {after}." in sentence
    assert f"goes from {probabilities[3]:.2f} to {probabilities[4]:.2f}." in sentence
    assert f"would be {without:.3f} instead of {probabilities[-1]:.3f};" in sentence


def test_the_slider_and_the_pointer_move_through_a_reading(page):
    page.get_by_label("Your review").fill("The film was dull")
    slider, words = page.get_by_role("slider"), page.locator(".words b")
    slider.focus()
    page.keyboard.press("Home")
    assert "Before the first word" in page.locator(".step").text_content()
    assert page.locator(".words .at").count() == 0
    page.keyboard.press("ArrowRight")
    assert "“The”" in page.locator(".step").text_content()
    words.nth(2).hover()
    assert slider.input_value() == "3"
    assert page.locator(".words .at").text_content() == "was"


def test_the_heat_map_is_a_pixel_a_unit_and_step_in_the_project_s_colours(page):
    text = "The film was dull"
    page.get_by_label("Your review").fill(text)
    states, _ = trace(text)
    pixels = page.evaluate(
        """() => [map.width, map.height,
                  ...map.getContext("2d").getImageData(0, 0, map.width, map.height).data]"""
    )
    assert pixels[:2] == [len(states), 5]
    found = np.reshape(pixels[2:], (5, len(states), 4))[..., :3]
    ends = np.where(states.T[..., None] > 0, [0, 114, 178], [213, 94, 0])
    np.testing.assert_allclose(found, 255 + np.abs(states.T[..., None]) * (ends - 255), atol=1)


def test_a_text_that_is_too_long_shows_what_is_read(page):
    page.get_by_label("Your review").fill("film " * 20 + "great")
    assert page.locator(".words").text_content().split() == ["film"] * 15 + ["great"]
    assert "5 words at the beginning cut off" in page.locator(".cut").text_content()
    page.get_by_label("Your review").fill("film")
    assert page.locator(".cut").is_hidden()


def test_an_empty_text_is_answered_too(page):
    page.get_by_label("Your review").fill("")
    assert "There is no word to read yet." in page.locator(".step").text_content()
    assert page.locator(".words b, .chips li").count() == 0


def test_every_example_can_be_clicked(page):
    for button in page.locator("#reader button").all():
        button.click()
        assert page.get_by_label("Your review").input_value() == button.get_attribute("data-text")


@pytest.mark.parametrize(
    ("network", "tokenizer", "reason"),
    [
        (made_up.network(), "keras", None),
        (made_up.network(keras.layers.GRU), "keras", "one SimpleRNN layer"),
        (made_up.network(mask=True), "keras", "without a mask"),
        (made_up.network(), "unicode", "Unicode"),
    ],
    ids=["course's", "GRU", "masked", "Unicode"],
)
def test_a_page_that_could_not_be_exact_says_why_the_section_is_missing(network, tokenizer, reason):
    found = reader.unsupported_reason([of_model(network)], SimpleNamespace(tokenizer=tokenizer))
    assert found is None if reason is None else reason in found
    if found:
        page = report.render(**made_up.content() | {"reader": reader.Reader(found, {}, {}, None)})
        assert found in unescape(page)
        assert "<textarea" not in page


def test_examples_are_of_words_that_are_in_the_vocabulary():
    found = reader.short_examples(made_up.encoder())
    assert [(e.text, e.step) for e in found["Negation"]] == [
        ("The film was not dull.", 4),
        ("The film was dull.", -1),
    ]
    assert "Word order" not in found  # "gripping" is not in the index
    assert reader.short_examples(made_up.encoder(skip_top=5)) == {}


def test_candidates_are_the_first_of_their_length_without_html():
    steps = [80, 81, 5, 16, 500, 600, *[3] * reader.CANDIDATES]
    texts = ["a", "b", "<br />", "d", "e", "f", *["short"] * reader.CANDIDATES]
    found = reader.candidates(pd.DataFrame({"steps": steps}), iter(texts), 500)
    short, long = found[found["short"]], found[~found["short"]]
    assert short["text"].tolist() == ["a", "d", *["short"] * (reader.CANDIDATES - 2)]
    assert long["text"].tolist() == ["e", "f"]
    assert long.index.tolist() == [4, 5]


def test_examples_are_of_five_kinds():
    """Of two reviews of each kind, the one that moves farther to its answer is taken."""
    right = [(1, 1, 1), (0, 1, 1), (1, 0, 1), (0, 1, 0)]  # label, by the bag, by the network
    kinds = [(*kind, True) for kind in right] + [(1, 1, 0, False)]
    table = pd.DataFrame(kinds * 2, columns=["label", "bag", "network", "short"])
    answers = {
        key: np.where(table[of] == 1, table["label"], 1 - table["label"]).astype(float)
        for key, of in (("bag_of_words", "bag"), (NETWORK, "network"))
    }
    reviews = table.assign(**answers, text=[f"text {i}" for i in range(10)])
    rows = np.full((10, 4), 5, np.int32)
    farther = np.repeat([0.1, 0.2], 5)[:, None]
    sign = np.where(reviews[NETWORK] >= 0.5, 1, -1)[:, None]
    probabilities = 0.5 + sign * farther * np.array([-1, -1, 1, 1])
    moving = SimpleNamespace(probabilities=probabilities)
    found = reader.review_examples(moving, made_up.bag(), reviews, rows)
    assert [example.text for example in found] == [f"text {i}" for i in range(5, 10)]
    assert [example.step for example in found[:4]] == [-1] * 4
    assert found[4].step in (0, 1)  # in the first half
    assert reader.review_examples(moving, made_up.bag(), reviews[:0], rows[:0]) == []


def test_the_effect_of_a_word_is_that_of_its_steps():
    rows = np.array([[PAD, 1, 7, 8], [PAD, PAD, 1, 7], [1, 8, OOV, 8]])
    states = np.ones((3, 4, 2))
    states[0, 2:] = [-1, 1]  # reading 7 changes one sign
    states[1, 3] = [-1, -1]  # and here two
    probabilities = np.array([[0, 0, 0.5, 0.4], [0, 0, 0, 0.3], [0, 0, 0.9, 0.8]])
    found = reader.measure_effect(
        "not", SimpleNamespace(states=states, probabilities=probabilities), rows, 7
    )
    assert found[:4] == ("not", 3, 2, 2)
    assert found[4:] == pytest.approx((1.5, 3 / 5, 0.4, (0.5 + 0.1 + 0.3 + 0 + 0.1) / 5))
    assert (
        reader.measure_effect("x", StateTracer(of_model(made_up.network())).trace(rows), rows, 99)
        is None
    )


@pytest.mark.parametrize(
    ("signs", "compared"), [(2.0, "less than"), (4.1, "as much as"), (6.0, "more than")]
)
def test_the_effect_is_compared_with_that_of_other_words(signs, compared):
    effect = reader.Effect("not", 1000, 1234, 28, signs, 4.0, 0.05, 0.1)
    sentence = wording.effect_sentence(effect)
    assert "reads “not” 1,234 times" in sentence
    assert f"reading “not” changes the state {compared} reading another word." in sentence
