import gzip
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment import params
from sentiment.data import formats, streams, tabular
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
        splits, dropped = reviews.split(fetch.test_size, seed)
        reviews.write(tmp_path / "out.parquet", splits)
    assert list((tmp_path / "scratch").iterdir()) == []
    result = pd.read_parquet(tmp_path / "out.parquet")
    result.attrs["dropped"] = dropped
    return result


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
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
    assert formats.find(str(folder)) == [folder / "a.csv", folder / "b.jsonl"]
    assert formats.find(str(folder / "*.csv")) == [folder / "a.csv"]
    assert sorted(fetched(formats.find(str(folder)), tmp_path).text) == sorted(reviews.text)


def test_ids_differ_where_names_of_files_repeat(tmp_path):
    reviews = table()
    for name, part in (("a", reviews[:60]), ("b", reviews[60:])):
        (tmp_path / name).mkdir()
        written(part, tmp_path / name / "own.csv")
    result = fetched(formats.find(str(tmp_path / "*/own.csv")), tmp_path)
    assert result.id.is_unique


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
    result = fetched([path], tmp_path, split_column="part")
    assert sorted(result.text[result.split == "test"]) == sorted(reviews.text[1::2])


def test_test_reviews_that_training_has_too_are_dropped_from_training(tmp_path):
    reviews = table().assign(part=["train", "test"] * 60)
    reviews.loc[0, "text"] = reviews.loc[2, "text"] = reviews.loc[1, "text"]
    reviews.loc[4, "text"] = reviews.loc[6, "text"]  # twice within training: both stay
    result = fetched([written(reviews, tmp_path / "own.csv")], tmp_path, split_column="part")
    assert result.attrs["dropped"] == 2
    assert Counter(result.split) == {"train": 58, "test": 60}
    train, test = (set(result.text[result.split == split]) for split in ("train", "test"))
    assert not train & test
    assert Counter(result.text)[reviews.text[4]] == 2


@pytest.mark.parametrize(("negative", "positive"), tabular.KNOWN_LABELS)
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
    result = fetched([path], tmp_path, positive_label=positive)
    assert set(result.text[result.label == 1]) == set(reviews.text[:60])


def change(row: int, column: str, value: object) -> pd.DataFrame:
    reviews = table().astype(object)
    reviews.loc[row, column] = value
    return reviews


LABELLED = table().replace({"pos": "good", "neg": "bad"})


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
@pytest.mark.parametrize(
    ("reviews", "settings", "told"),
    [
        (
            table(),
            {"text_column": "x"},
            r"no column 'x' among 'text', 'label', 'more': set fetch\.text_column",
        ),
        (table(), {"split_column": "part"}, r"no column 'part' among .*: set fetch\.split"),
        (change(0, "text", " \n"), {}, r"the 'text' is empty: remove the review"),
        (change(0, "label", None), {}, r"the 'label' is empty: remove the review, or label it"),
        (change(99, "label", "mixed"), {}, r"'mixed' is a third label, beside 'pos' and 'neg'"),
        (table()[:60], {}, r"the reviews have 1 labels, \['pos'\]: two are needed"),
        (LABELLED, {}, r"which of 'good' and 'bad' is positive\? Set fetch\.positive_label to it"),
        (
            LABELLED,
            {"positive_label": 1},
            r"fetch\.positive_label = 1 is no label: there are 'good' and 'bad'",
        ),
        (
            table().assign(part="dev"),
            {"split_column": "part"},
            r"the 'part' is 'dev': only train and",
        ),
        (table()[30:], {}, r"the test split has 6 reviews labelled 'pos': at least 10 are needed"),
    ],
)
def test_what_is_wrong_is_told_with_its_row_and_what_to_do(
    tmp_path, suffix, reviews, settings, told
):
    path = written(reviews, tmp_path / f"own{suffix}")
    with pytest.raises(UserError, match=told):
        fetched([path], tmp_path, **settings)


def test_a_parquet_file_that_is_not_utf_8_is_told_with_its_row(tmp_path):
    texts = pa.array([b"good", b"bad \xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts, "label": ["1", "0"]}), tmp_path / "own.parquet")
    with pytest.raises(UserError, match=r"own\.parquet, row 2: the text is not UTF-8"):
        fetched([tmp_path / "own.parquet"], tmp_path)


def test_columns_of_parquet_go_by_name_once_each(tmp_path):
    path = tmp_path / "own.parquet"
    columns = [pa.array(["good"]), pa.array(["bad"]), pa.array([1])]
    pq.write_table(pa.Table.from_arrays(columns, ["text", " text", "label"]), path)
    with pytest.raises(UserError, match=r"own\.parquet: 2 columns are called 'text': rename all"):
        fetched([path], tmp_path)
    with pytest.raises(UserError, match=r"fetch\.text_column = 1: only CSV and TSV count"):
        fetched([path], tmp_path, text_column=1, label_column=2)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ("no", r"a JSON object is needed on each line: Expecting value"),
        ("[1]", r"a JSON object is needed on each line: '\[1\]\\n' is none"),
        ("[" * 100_000, r"a JSON object is needed on each line: maximum recursion depth"),
        ('{"text": 5, "label": 1}', r"the 'text' is 5, which is no text: set fetch\.text_column"),
        ('{"text": null, "label": 1}', r"the 'text' is empty: remove the review"),
        ('{"text": "\\u200b", "label": 1}', r"the 'text' is empty: remove the review"),
        (
            '{"text": "a", "text": "b", "label": 1}',
            r"a JSON object is needed .*: a name is there twice",
        ),
        ('{"txt": "a", "label": 1}', r"no column 'text' among 'txt', 'label': set fetch\.text_"),
        (" " * 4_000_001, r"a line of over 4,000,000 characters"),
    ],
)
def test_a_faulty_line_of_json_is_told(tmp_path, record, told):
    good = '{"text": "a", "label": 1}\n'
    (tmp_path / "own.jsonl").write_text(f"{good}\n{record}\n{good}")
    with pytest.raises(UserError, match=rf"own\.jsonl, line 3: {told}"):
        fetched([tmp_path / "own.jsonl"], tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_packed_files_are_read_and_cut_ones_told(tmp_path, suffix):
    path = written(table(), tmp_path / f"own{suffix}")
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed)
    assert len(fetched([path], tmp_path)) == 120
    path.write_bytes(packed[:-20])
    with pytest.raises(UserError, match=r"is damaged, or was cut short: replace it with a good"):
        fetched([path], tmp_path)


def test_a_parquet_file_cut_short_is_told(tmp_path):
    path = written(table(), tmp_path / "own.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"own\.parquet is damaged, or was cut short"):
        fetched([path], tmp_path)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_texts_that_look_the_same_are_the_same(tmp_path, suffix):
    reviews = table().assign(part=["train", "test"] * 60)
    reviews.loc[1, "text"] = "It\N{RIGHT SINGLE QUOTATION MARK}s\N{NO-BREAK SPACE}good"
    reviews.loc[2, "text"] = "It's good"
    path = written(reviews, tmp_path / f"own{suffix}")
    result = fetched([path], tmp_path, split_column="part")
    assert result.attrs["dropped"] == 1
    assert Counter(result.text)["It's good"] == 1


def test_line_ends_within_a_text_are_those_of_any_system(tmp_path):
    texts = {}
    for name, end in (("unix", "\n"), ("windows", "\r\n"), ("mac", "\r")):
        reviews = table().replace("\n", end, regex=True)
        reviews.to_csv(tmp_path / name, index=False, lineterminator=end)
        texts[name] = sorted(fetched([tmp_path / name], tmp_path).text)
    assert texts["unix"] == texts["windows"] == texts["mac"] == sorted(table().text)


def test_what_was_assumed_is_kept_for_each_file(tmp_path):
    paths = [written(table(), tmp_path / f"own{suffix}") for suffix in formats.SUFFIXES]
    with tabular.read(paths, FETCH, tmp_path) as reviews:
        assert reviews.assumed == {
            "own.csv": "UTF-8, separated by commas, quotes doubled",
            "own.tsv": "UTF-8, separated by tabs, quotes doubled",
            "own.jsonl": "JSON Lines, UTF-8",
            "own.parquet": "Parquet",
        }


def test_a_name_that_is_not_utf_8_is_replaced_in_ids(tmp_path):
    path = written(table(), tmp_path / "own.csv").rename(tmp_path / os.fsdecode(b"caf\xe9.csv"))
    assert fetched([path], tmp_path).id.str.startswith("caf\N{REPLACEMENT CHARACTER}.csv:").all()


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
