import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.errors import UserError
from sentiment.text import (
    INDEX_FROM,
    OOV,
    PAD,
    START,
    Encoder,
    clean,
    decode,
    find_words,
    has_negation,
    pad_sequences,
    rank_words,
    read_word_index,
    split_words,
    unicode_tokens,
)

SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n '
WORD_INDEX = {"the": 1, "film": 2, "a": 3, "br": 4, "it's": 5, "É": 6, "last": 7}

texts = st.text(st.sampled_from("aAbZÉé'.,<>/ \t\n\r\0\N{NO-BREAK SPACE}İ😀") | st.characters())

patient = settings(deadline=None)  # a busy machine is no defect


def encoder(**changes) -> Encoder:
    options = {"num_words": 11, "skip_top": 0, "maxlen": 4, "padding": "pre", "truncating": "pre"}
    return Encoder(WORD_INDEX, **options | changes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n.,;", []),
        ("The FILM", ["the", "film"]),
        ("École ÉTÉ été", ["École", "ÉtÉ", "été"]),
        ("it's 'quoted' don't", ["it's", "'quoted'", "don't"]),
        ("good.<br /><br />Bad", ["good", "br", "br", "bad"]),
        ("well-made/under_rated", ["well", "made", "under", "rated"]),
        ("one\ttwo\nthree\rfour", ["one", "two", "three\rfour"]),
        ("no\N{NO-BREAK SPACE}break\N{EM DASH}dash", ["no\N{NO-BREAK SPACE}break\N{EM DASH}dash"]),
        ("10/10!!!", ["10", "10"]),
        ("\N{KELVIN SIGN}elvin", ["\N{KELVIN SIGN}elvin"]),
    ],
)
def test_words_are_split_as_keras_splits_them(text, words):
    assert split_words(text) == words


@patient
@given(texts)
def test_words_of_any_text(text):
    lower = "".join(c.lower() if c.isascii() else c for c in text)
    assert split_words(text) == [w for w in re.split(f"[{re.escape(SEPARATORS)}]", lower) if w]


@patient
@given(texts)
def test_splitting_again_changes_nothing(text):
    words = split_words(text)
    assert split_words(" ".join(words)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n.,;", []),
        ("The FILM", ["the", "film"]),
        ("École ÉTÉ été", ["école", "été", "été"]),
        ("it's 'quoted' don't", ["it's", "quoted", "don't"]),
        ("good.<br /><BR/>Bad", ["good", "bad"]),
        ("well-made 3.5 10/10!", ["well", "made", "3.5", "10", "10"]),
        ("no\N{NO-BREAK SPACE}break\N{EM DASH}dash", ["no", "break", "dash"]),
        ("\N{LEFT DOUBLE QUOTATION MARK}lovely\N{RIGHT DOUBLE QUOTATION MARK}", ["lovely"]),
        ("ОТЛИЧНО, тепло", ["отлично", "тепло"]),
        ("味道很好。服务热情", ["味道", "很好", "服务", "热情"]),
        ("とても美味しかった", ["とても", "美味", "しか", "っ", "た"]),
        ("อาหารอร่อยมาก", ["อาหาร", "อร่อย", "มาก"]),
        ("한국어 좋아요", ["한국어", "좋아요"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("GROẞ groß", ["gross", "gross"]),
        ("\N{LATIN SMALL LIGATURE FI}lm", ["film"]),
        ("good \N{THUMBS UP SIGN}", ["good", "\N{THUMBS UP SIGN}"]),
    ],
)
def test_words_of_any_script(text, words):
    assert split_words(text, "unicode") == words


@patient
@given(texts.map(clean))
@pytest.mark.parametrize("tokenizer", ["keras", "unicode"])
def test_words_are_found_where_they_are(tokenizer, text):
    found = find_words(text, tokenizer)
    assert [token.word for token in found] == split_words(text, tokenizer)
    ends = [0, *(place for token in found for place in (token.start, token.end)), len(text)]
    assert ends == sorted(ends)
    for word, start, end in found:
        assert [word] == split_words(text[start:end], tokenizer) or tokenizer == "unicode"


GOOD_FILM = "It's good,\nthe film"


@pytest.mark.parametrize(
    "text",
    [
        "It's good,\r\nthe film",
        "It's good,\rthe film",
        "It's good,\x85the film",
        "It's good,\N{LINE SEPARATOR}the film",
        "It's good,\N{PARAGRAPH SEPARATOR}the film",
        "\ufeffIt's good,\nthe film",
        "It's\N{NO-BREAK SPACE}good,\nthe\N{NARROW NO-BREAK SPACE}film",
        "It's\N{IDEOGRAPHIC SPACE}good,\nthe\N{THIN SPACE}film",
        "It's\0good,\nthe\x1ffilm",
        "It's go\N{ZERO WIDTH SPACE}od,\nthe\N{WORD JOINER} film",
        "It's go\N{SOFT HYPHEN}od,\nthe film\N{ZERO WIDTH NON-JOINER}",
        "It\N{RIGHT SINGLE QUOTATION MARK}s good,\nthe film",
    ],
)
def test_texts_that_look_the_same_are_cleaned_to_the_same(text):
    assert clean(text) == GOOD_FILM


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("cafe\N{COMBINING ACUTE ACCENT}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("\N{LEFT DOUBLE QUOTATION MARK}a\N{EM DASH}b\N{HORIZONTAL ELLIPSIS}", '"a-b...'),
        ("\ud83d\ude00 \ud800", "\N{GRINNING FACE} \N{REPLACEMENT CHARACTER}"),
        ("می\N{ZERO WIDTH NON-JOINER}خواهم", "می\N{ZERO WIDTH NON-JOINER}خواهم"),
        ("\tone\ttwo\n", "\tone\ttwo\n"),
    ],
)
def test_what_cleaning_changes(text, cleaned):
    assert clean(text) == cleaned


@patient
@given(texts)
def test_cleaning_again_changes_nothing(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned.encode().decode() == cleaned


@patient
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\t\n")))
def test_plain_texts_stay_as_they_are(text):
    assert clean(text) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_bytes_are_decoded_by_their_mark(encoding):
    assert decode("naïve".encode(encoding)) == "naïve"


@patient
@given(texts.map(clean))
def test_tokens_of_any_text_are_its_own(text):
    assert all(token.word and token.word == token.word.strip() for token in unicode_tokens(text))


def test_an_encoder_of_an_earlier_version_splits_as_keras_does(tmp_path):
    path = tmp_path / "encoder.json"
    encoder().save(path)
    saved = json.loads(path.read_text())
    del saved["tokenizer"]
    path.write_text(json.dumps(saved))
    assert Encoder.load(path) == encoder()


def test_an_encoder_splits_as_its_word_index_was_made():
    coder = encoder(tokenizer="unicode")
    assert coder.sequence("THE\N{NO-BREAK SPACE}film\N{EM DASH}last") == [START, 4, 5, 10]
    assert Encoder(coder.word_index, 11, 0, 4, "pre", "pre").sequence("film\N{EM DASH}last") == [1]


@pytest.mark.parametrize(
    ("texts", "share"),
    [([], 1), ([""], 1), (["the film"], 1), (["The film last xyzzy", ""], 0.5), (["xyzzy"], 0)],
)
def test_the_share_of_known_words(texts, share):
    assert encoder(num_words=10).share_known(texts) == share  # "last" is beyond num_words


def test_words_are_ranked_by_frequency_and_equals_by_first_appearance():
    assert rank_words(["b a c.", "C d a", "c"]) == {"c": 1, "a": 2, "b": 3, "d": 4}


@patient
@given(st.lists(texts, max_size=5))
def test_ranks_of_any_texts(several):
    ranks = rank_words(several)
    counts = Counter(word for text in several for word in split_words(text))
    assert sorted(ranks.values()) == list(range(1, len(counts) + 1))
    by_rank = [counts[word] for word in sorted(ranks, key=ranks.get)]
    assert by_rank == sorted(by_rank, reverse=True)


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("", [START]),
        ("The film!", [START, 4, 5]),
        ("Nobody saw THE film", [START, 4, 5]),  # words outside of the index are dropped
        ("film<br />film", [START, 5, 7, 5]),
        ("It's", [START, 8]),
        ("É é", [START, 9]),  # É is a word of the index, é is none
        ("last", [START, 10]),  # the last id below num_words
    ],
)
def test_sequences_by_hand(text, sequence):
    assert encoder().sequence(text) == sequence


@pytest.mark.parametrize(("num_words", "token"), [(11, 10), (10, OOV), (4, OOV)])
def test_an_id_at_the_vocabularys_edge(num_words, token):
    assert encoder(num_words=num_words).sequence("last") == [START, token]


@pytest.mark.parametrize(
    ("skip_top", "sequence"),
    [
        (0, [1, 4, 5, 6]),
        (1, [1, 4, 5, 6]),
        (2, [2, 4, 5, 6]),
        (5, [2, 2, 5, 6]),
        (10, [2, 2, 2, 2]),
    ],
)
def test_the_most_frequent_words_can_be_skipped_and_the_start_with_them(skip_top, sequence):
    assert encoder(skip_top=skip_top).sequence("the film a") == sequence


@patient
@given(texts, st.integers(4, 12), st.integers(0, 3))
def test_sequences_of_any_text(text, num_words, skip_top):
    sequence = encoder(num_words=num_words, skip_top=skip_top).sequence(text)
    assert sequence[0] == (START if skip_top <= START else OOV)
    assert all(token == OOV or INDEX_FROM < token < num_words for token in sequence[1:])
    assert len(sequence) == 1 + sum(word in WORD_INDEX for word in split_words(text))


@patient
@given(st.lists(texts, max_size=4))
def test_rows_of_any_texts(several):
    coder = encoder()
    rows = coder.rows(several)
    assert rows.shape == (len(several), 4)
    assert rows.dtype == np.int32
    for row, text in zip(rows, several, strict=True):
        last = coder.sequence(text)[-4:]
        assert row.tolist() == [PAD] * (4 - len(last)) + last


@pytest.mark.parametrize(
    ("padding", "truncating", "rows"),
    [
        ("pre", "pre", [[0, 1, 2], [4, 5, 6], [0, 0, 0]]),
        ("pre", "post", [[0, 1, 2], [3, 4, 5], [0, 0, 0]]),
        ("post", "pre", [[1, 2, 0], [4, 5, 6], [0, 0, 0]]),
        ("post", "post", [[1, 2, 0], [3, 4, 5], [0, 0, 0]]),
    ],
)
def test_padding_by_hand(padding, truncating, rows):
    np.testing.assert_array_equal(
        pad_sequences([[1, 2], [3, 4, 5, 6], []], 3, padding, truncating), rows
    )


ends = st.sampled_from(["pre", "post"])


@patient
@given(
    st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=12), max_size=6),
    st.integers(1, 9),
    ends,
    ends,
)
def test_padding_is_that_of_keras_on_anything(sequences, maxlen, padding, truncating):
    from keras.utils import pad_sequences as by_keras

    ours = pad_sequences(sequences, maxlen, padding, truncating)
    theirs = by_keras(sequences, maxlen, padding=padding, truncating=truncating)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_an_encoder_is_the_same_after_saving(tmp_path):
    path = tmp_path / "encoder.json"
    saved = encoder(skip_top=3, padding="post")
    saved.save(path)
    assert Encoder.load(path) == saved


def test_the_word_index_is_read(tmp_path):
    path = tmp_path / "word_index.json"
    path.write_text(json.dumps(WORD_INDEX))
    assert read_word_index(path) == WORD_INDEX


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not valid JSON"),
        (b'{"the": 1', "is not valid JSON"),
        (b"\xff\xfe\x00", "is not valid JSON"),
        (b'["the"]', "is not a word index"),
        (b'{"the": "1"}', "is not a word index"),
        (b'{"the": 1.5}', "is not a word index"),
        (b'{"the": true}', "is not a word index"),
        (b'{"the": -3}', "is not a word index"),  # it would be encoded as padding
    ],
)
def test_what_is_no_word_index_is_refused(tmp_path, content, told):
    path = tmp_path / "word_index.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path} {told}"):
        read_word_index(path)


def test_a_missing_word_index_is_told_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match="dvc repro fetch"):
        read_word_index(tmp_path / "word_index.json")


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    """The real reviews, where they have been fetched."""
    path = Path("data/raw/reviews.parquet")
    reviews = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
    if len(reviews) != 50_000:
        pytest.skip("the real reviews are not in data/raw: `make repro` fetches them")
    return reviews


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "mean", "shortest", "longest"),
    [("train", 238.71364, 11, 2494), ("test", 230.8042, 7, 2315)],
)
def test_real_sequences_are_as_long_as_those_of_keras(real, split, mean, shortest, longest):
    coder = Encoder(read_word_index("data/raw/word_index.json"), 2**31 - 1, 0, 1, "pre", "pre")
    lengths = [len(coder.sequence(text)) for text in real.text[real.split == split]]
    assert np.mean(lengths) == pytest.approx(mean, abs=1e-9)
    assert (min(lengths), max(lengths)) == (shortest, longest)


@pytest.mark.slow
def test_real_labels_come_in_the_order_of_keras(real):
    assert real.label[real.split == "train"][:10].tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 1, 0]
    assert real.label[real.split == "test"][:3].tolist() == [0, 1, 1]


@pytest.mark.slow
def test_real_rows_on_disk_are_those_of_the_saved_encoder(real):
    path = Path("data/padded/encoder.json")
    if not path.is_file():
        pytest.skip("data/padded is not there: `make repro` makes it")
    coder = Encoder.load(path)
    for split in ("train", "test"):
        rows = real[real.split == split]
        x = np.load(f"data/padded/x_{split}.npy", mmap_mode="r", allow_pickle=False)
        y = np.load(f"data/padded/y_{split}.npy", allow_pickle=False)
        assert (x.shape, x.dtype) == ((25_000, coder.maxlen), np.int32)
        assert y.dtype == np.int8
        np.testing.assert_array_equal(y, rows.label)
        np.testing.assert_array_equal(x[::50], coder.rows(rows.text[::50]))


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("It isn't good", True),
        ("Notable", False),
        ("NOT bad", True),
        ("fine, no?", True),
        ("a knot", False),
        ("cannot say", True),
    ],
)
def test_negations_are_words(text, negated):
    assert has_negation(text) == negated
