import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment import params
from sentiment.data import streams, tabular
from sentiment.errors import UserError

FETCH = params.read("params.yaml").fetch


def table(count: int = 120) -> pd.DataFrame:
    texts = [f'Review "{i}", naïve;\nand\tmore' for i in range(count)]
    labels = ["pos" if i < count // 2 else "neg" for i in range(count)]
    return pd.DataFrame({"text": texts, "label": labels, "more": range(count)})


def written(reviews: pd.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".csv":
            reviews.to_csv(path, index=False)
        case ".tsv":
            reviews.to_csv(path, index=False, sep="\t")
        case ".jsonl":
            reviews.to_json(path, orient="records", lines=True, force_ascii=False)
        case ".parquet":
            reviews.to_parquet(path)
    return path


def fetched(paths: list[Path], tmp_path, seed: int = 1, **settings) -> pd.DataFrame:
    """The reviews as the pipeline gets them; `dropped` is among the table's attributes."""
    fetch = FETCH.model_copy(update=settings)
    with tabular.read(paths, fetch, tmp_path / "scratch") as reviews:
        splits, dropped = reviews.divide(fetch.test_share, seed)
        reviews.write(tmp_path / "out.parquet", splits)
    assert list((tmp_path / "scratch").iterdir()) == []
    result = pd.read_parquet(tmp_path / "out.parquet")
    result.attrs["dropped"] = dropped
    return result


@pytest.mark.parametrize("suffix", tabular.FORMATS)
def test_every_format_gives_the_same_reviews(tmp_path, suffix):
    reviews = table()
    result = fetched([written(reviews, tmp_path / f"own{suffix}")], tmp_path)
    assert list(result) == ["split", "label", "id", "text"]
    assert result.label.dtype == np.int8
    assert dict(zip(result.text, result.label, strict=True)) == dict(
        zip(reviews.text, reviews.label == "pos", strict=True)
    )
    assert result.id.is_unique


@pytest.mark.parametrize(
    ("suffix", "line"), [(".csv", 16), (".tsv", 16), (".jsonl", 8), (".parquet", 8)]
)
def test_an_id_leads_back_to_the_file_and_the_line(tmp_path, suffix, line):
    reviews = table()
    result = fetched([written(reviews, tmp_path / f"own{suffix}")], tmp_path).set_index("id")
    assert result.text[f"own{suffix}:{line}"] == reviews.text[7]


def test_several_files_are_one_corpus(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    reviews = table()
    written(reviews[:20], folder / "a.csv")
    written(reviews[20:], folder / "b.jsonl")
    (folder / "README.md").write_text("no reviews")
    assert tabular.find(str(folder)) == [folder / "a.csv", folder / "b.jsonl"]
    assert tabular.find(str(folder / "*.csv")) == [folder / "a.csv"]
    assert sorted(fetched(tabular.find(str(folder)), tmp_path).text) == sorted(reviews.text)


def test_ids_differ_where_names_of_files_repeat(tmp_path):
    reviews = table()
    for name, part in (("a", reviews[:60]), ("b", reviews[60:])):
        (tmp_path / name).mkdir()
        written(part, tmp_path / name / "own.csv")
    result = fetched(tabular.find(str(tmp_path / "*/own.csv")), tmp_path)
    assert result.id.is_unique


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match=r"'imbd' is neither imdb nor sample, and there is no such"):
        tabular.find("imbd")
    (tmp_path / "own.xlsx").touch()
    with pytest.raises(UserError, match=r"own\.xlsx is none of \.csv, .*: convert or rename it"):
        tabular.find(str(tmp_path / "own.xlsx"))


def test_splits_are_drawn_by_the_seed_with_labels_in_proportion(tmp_path):
    reviews = table(300)
    reviews["label"] = ["pos"] * 100 + ["neg"] * 200
    path = written(reviews, tmp_path / "own.csv")
    first, again, other = (fetched([path], tmp_path, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert set(first.text[first.split == "test"]) != set(other.text[other.split == "test"])
    counts = first.groupby("split").label.agg(["size", "sum"])
    assert counts.loc["test"].tolist() == [60, 20]
    assert counts.loc["train"].tolist() == [240, 80]
    assert first.split.tolist() == ["train"] * 240 + ["test"] * 60


def test_the_last_training_rows_have_both_labels_in_proportion(tmp_path):
    result = fetched([written(table(400), tmp_path / "own.csv")], tmp_path)
    train = result[result.split == "train"]
    assert train.label.iloc[-64:].sum() == 32
    assert train.text.tolist() != sorted(train.text)


def test_a_split_column_is_followed(tmp_path):
    reviews = table().assign(part=["train", "Test"] * 60)
    path = written(reviews, tmp_path / "own.csv")
    result = fetched([path], tmp_path, split="part")
    assert sorted(result.text[result.split == "test"]) == sorted(reviews.text[1::2])


def test_test_reviews_that_training_has_too_are_dropped_from_training(tmp_path):
    reviews = table().assign(part=["train", "test"] * 60)
    reviews.loc[0, "text"] = reviews.loc[2, "text"] = reviews.loc[1, "text"]
    reviews.loc[4, "text"] = reviews.loc[6, "text"]  # twice within training: both stay
    result = fetched([written(reviews, tmp_path / "own.csv")], tmp_path, split="part")
    assert result.attrs["dropped"] == 2
    assert Counter(result.split) == {"train": 58, "test": 60}
    train, test = (set(result.text[result.split == split]) for split in ("train", "test"))
    assert not train & test
    assert Counter(result.text)[reviews.text[4]] == 2


@pytest.mark.parametrize(("negative", "positive"), tabular.GUESSED)
@pytest.mark.parametrize("order", [1, -1])
def test_plain_labels_are_understood(tmp_path, negative, positive, order):
    reviews = table()[::order]
    labels = reviews.label.map({"pos": positive.title(), "neg": f" {negative}"})
    result = fetched([written(reviews.assign(label=labels), tmp_path / "own.csv")], tmp_path)
    said = dict(zip(reviews.text, reviews.label == "pos", strict=True))
    assert dict(zip(result.text, result.label, strict=True)) == said


@pytest.mark.parametrize("labels", [(True, False), (1, 0), (1.0, 0.0)])
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_labels_need_not_be_text(tmp_path, labels, suffix):
    reviews = table()
    reviews["label"] = reviews.label.map(dict(zip(("pos", "neg"), labels, strict=True)))
    result = fetched([written(reviews, tmp_path / f"own{suffix}")], tmp_path)
    assert result.label.sum() == 60


@pytest.mark.parametrize("positive", ["bad", "Bad"])
def test_the_positive_label_is_the_one_that_is_named(tmp_path, positive):
    reviews = table()
    reviews["label"] = reviews.label.map({"pos": "bad", "neg": "good"})
    path = written(reviews, tmp_path / "own.csv")
    result = fetched([path], tmp_path, positive=positive)
    assert set(result.text[result.label == 1]) == set(reviews.text[:60])


def change(row: int, column: str, value: object) -> pd.DataFrame:
    reviews = table().astype(object)
    reviews.loc[row, column] = value
    return reviews


LABELLED = table().replace({"pos": "good", "neg": "bad"})


@pytest.mark.parametrize("suffix", tabular.FORMATS)
@pytest.mark.parametrize(
    ("reviews", "settings", "told"),
    [
        (
            table(),
            {"text": "x"},
            r"no column 'x' among 'text', 'label', 'more': set fetch\.text",
        ),
        (table(), {"split": "part"}, r"no column 'part' among .*: set fetch\.split"),
        (change(0, "text", " \n"), {}, r"the 'text' is empty: remove the review"),
        (change(0, "label", None), {}, r"the 'label' is empty: remove the review, or label it"),
        (change(99, "label", "mixed"), {}, r"'mixed' is a third label, beside 'pos' and 'neg'"),
        (table()[:60], {}, r"the reviews have 1 labels, \['pos'\]: two are needed"),
        (table()[:0], {}, r"the reviews have 0 labels, \[\]: two are needed"),
        (LABELLED, {}, r"which of 'good' and 'bad' is positive\? Set fetch\.positive to it"),
        (LABELLED, {"positive": 1}, r"fetch\.positive = 1 is no label: there are 'good' and 'bad'"),
        (table().assign(part="dev"), {"split": "part"}, r"the 'part' is 'dev': only train and"),
        (table()[30:], {}, r"the test split has 6 reviews labelled 'pos': at least 10 are needed"),
    ],
)
def test_what_is_wrong_is_told_with_its_row_and_what_to_do(
    tmp_path, suffix, reviews, settings, told
):
    path = written(reviews, tmp_path / f"own{suffix}")
    with pytest.raises(UserError, match=told):
        fetched([path], tmp_path, **settings)


@pytest.mark.parametrize(("suffix", "place"), [(".csv", "line 22"), (".jsonl", "line 11")])
def test_bytes_that_are_not_utf_8_are_told_with_their_line(tmp_path, suffix, place):
    path = written(table().replace({"naïve": "naive"}, regex=True), tmp_path / f"own{suffix}")
    content = path.read_bytes()
    assert content.count(b'"10"') + content.count(b'\\"10\\"') == 1
    path.write_bytes(content.replace(b'"10', b'"\xe9'))
    with pytest.raises(UserError, match=rf"own{suffix}, {place}: the text is not UTF-8: save"):
        fetched([path], tmp_path)


def test_a_parquet_file_that_is_not_utf_8_is_told_with_its_row(tmp_path):
    texts = pa.array([b"good", b"bad \xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts, "label": ["1", "0"]}), tmp_path / "own.parquet")
    with pytest.raises(UserError, match=r"cannot be read after .*own\.parquet, row 1: 'utf-8' cod"):
        fetched([tmp_path / "own.parquet"], tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("own.csv", 'text,label\n"never closed,1\n', r"after .*own\.csv, line 0: unexpected end"),
        ("own.csv", 'text,label\n"' + "x" * 1_000_001, r"field larger than field limit"),
        ("own.csv", "text,label\na,1\nb,c,0\n", r"line 2: 3 fields, where the header has 2"),
        ("own.jsonl", '{"text": "a", "label": 1}\nno\n', r"line 1: Expecting value"),
        ("own.jsonl", "[1]\n", r"line 0: no JSON object: '\[1\]"),
        ("own.jsonl", "[" * 100_000, r"line 0: maximum recursion depth"),
        ("own.jsonl", json.dumps({"text": 5, "label": 1}), r"line 1: the 'text' is 5, which is no"),
        ("own.jsonl", r'{"text": "\ud800", "label": 1}', r"line 1: the text is not UTF-8"),
        ("own.parquet", "no Parquet", r"Parquet magic bytes not found"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=told):
        fetched([tmp_path / name], tmp_path)


def test_a_byte_order_mark_and_blank_lines_are_passed_over(tmp_path):
    path = written(table(), tmp_path / "own.jsonl")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\n\n"))
    assert len(fetched([path], tmp_path)) == 120


def test_more_reviews_than_a_batch_are_written_in_their_order(tmp_path):
    generator = random.Random(0)
    count = 2 * streams.ROW_GROUP + 500
    texts = ["é" * generator.randrange(1, 30) + str(i) for i in range(count)]
    reviews = pd.DataFrame({"text": texts, "label": np.arange(count) % 2})
    path = written(reviews, tmp_path / "own.csv")
    result = fetched([path], tmp_path)
    lines = result.id.str.removeprefix("own.csv:").astype(int)
    assert result.text.tolist() == [texts[line - 2] for line in lines]
    assert result.label.tolist() == [line % 2 for line in lines]
    rows = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert all(rows.row_group(i).num_rows <= streams.ROW_GROUP for i in range(rows.num_row_groups))
