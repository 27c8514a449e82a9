"""CSV and TSV in the shapes that people have: the same 80 reviews, or a line of refusal."""

import csv
import gzip
import io
from pathlib import Path

import pytest

from sentiment import params
from sentiment.data import delimited, readers
from sentiment.errors import UserError

FETCH = params.read("params.yaml").fetch
TEXTS = [f"Number {i} was warm, fresh; fine" for i in range(80)]
LABELS = ["pos" if i % 2 else "neg" for i in range(80)]
CAFE = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"


def table(texts: list[str] = TEXTS, header: tuple = ("text", "label"), **options) -> str:
    """The reviews as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", **options)
    writer.writerows([header] if header else [])
    writer.writerows(zip(texts, LABELS, strict=True))
    return out.getvalue()


def read(path: Path, **settings) -> tuple[list[str], list[str], str]:
    """The texts and labels of a file, and what was assumed."""
    file = readers.open_reviews(path, FETCH.model_copy(update=settings))
    texts, labels = zip(*(values[:2] for _, values in file), strict=True)
    return [*texts], [*labels], file.assumed


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "assumed"),
    [
        (table(), "UTF-8, separated by commas, quotes doubled"),
        (table(delimiter=";"), "UTF-8, separated by semicolons, quotes doubled"),
        (table(delimiter="\t"), "UTF-8, separated by tabs, quotes doubled"),
        (table(delimiter="|"), "UTF-8, separated by vertical bars, quotes doubled"),
        ("sep=;\n" + table(delimiter=";"), "UTF-8, separated by semicolons, quotes doubled"),
        ('"SEP=|"\r\n' + table(delimiter="|"), "UTF-8, separated by vertical bars, quotes doubled"),
        (table(quoting=csv.QUOTE_ALL), "UTF-8, separated by commas, quotes doubled"),
        (table().replace(",pos", ", pos").replace("text,", " text , "), "UTF-8, separated by"),
        (table(header=("text ", "\ufefflabel")), "UTF-8, separated by commas, quotes doubled"),
        (table().replace("\n", "\r\n"), "UTF-8, separated by commas, quotes doubled"),
        (table().replace("\n", "\r"), "UTF-8, separated by commas, quotes doubled"),
        (table() + "\n,\n\n", "UTF-8, separated by commas, quotes doubled"),  # of spreadsheets
        (b"\xef\xbb\xbf" + table().encode(), "UTF-8, separated by commas, quotes doubled"),
        (table().encode("utf-16"), "UTF-16, separated by commas, quotes doubled"),
        (table().encode("utf-16-le"), "UTF-16-LE, separated by commas, quotes doubled"),
        (table().encode("utf-16-be"), "UTF-16-BE, separated by commas, quotes doubled"),
        (table().encode("utf-32"), "UTF-32, separated by commas, quotes doubled"),
        (gzip.compress(table().encode(), mtime=0), "UTF-8, separated by commas, quotes doubled"),
    ],
)
@pytest.mark.parametrize("name", ["own.csv", "own.tsv", "export"])
def test_the_same_reviews_in_any_shape(tmp_path, content, assumed, name):
    texts, labels, told = read(write(tmp_path / name, content))
    assert texts == TEXTS
    assert labels == LABELS
    assert told.startswith(assumed)


PLAIN = [text.replace("fresh;", '"fresh"') for text in TEXTS]


@pytest.mark.parametrize(
    ("texts", "content", "assumed"),
    [
        (PLAIN, table(PLAIN), "quotes doubled"),
        (PLAIN, table(PLAIN, doublequote=False, escapechar="\\"), "quotes escaped; if they were"),
        (
            PLAIN,
            table(PLAIN, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None),
            "quotes doubled",  # within a field they enclose nothing
        ),
        (
            [f'"{i}" is bad' for i in range(80)],
            table([f'"{i}" is bad' for i in range(80)], delimiter="\t", quoting=3, quotechar=None),
            "quotes plain; if they were doubled, line 2: a quote closes within a field",
        ),
        (
            [rf'C:\new\{i} "x\y"' for i in range(80)],
            table([rf'C:\new\{i} "x\y"' for i in range(80)], quoting=1).replace('""', r"\""),
            "quotes escaped",
        ),
        (
            [f"{i} in\n{CAFE}, or\r\nelsewhere" for i in range(80)],
            table([f"{i} in\n{CAFE}, or\r\nelsewhere" for i in range(80)]),
            "quotes doubled",
        ),
    ],
)
def test_quotes_are_found_out(tmp_path, texts, content, assumed):
    found, labels, told = read(write(tmp_path / "own.csv", content))
    assert found == texts
    assert labels == LABELS
    assert assumed in told


def open_quote(path: Path, last: int) -> Path:
    """Bare rows, of which a quote opens in line 22 and closes in line `last`."""
    lines = table([f"Number {i} is good" for i in range(80)], delimiter="\t").splitlines()
    lines[21] = '"' + lines[21]
    lines[last - 1] = lines[last - 1].replace("\t", '"\t')
    return write(path, "\n".join(lines))


@pytest.mark.parametrize("last", [23, 52])
def test_a_quote_that_swallows_rows_is_noticed(tmp_path, last):
    path = open_quote(tmp_path / "own.tsv", last)
    texts, labels, told = read(path)
    assert len(texts) == 80
    assert labels == LABELS
    assert f"line 22: a quote opens here and closes in line {last}, over lines that are" in told
    with pytest.raises(UserError, match=f"line 22: a quote opens here and closes in line {last}"):
        read(path, quotes="doubled")


def test_a_quote_that_swallows_rows_of_a_quoted_file_is_told_with_its_line(tmp_path):
    path = open_quote(tmp_path / "own.tsv", 52)
    write(path, path.read_text().replace("Number 3 is good", '"Number\t3"'))
    with pytest.raises(UserError, match=r"own\.tsv, line 22: a quote opens here and closes in"):
        read(path)


def test_lines_of_a_review_are_no_rows(tmp_path):
    texts = [f"{i}: warm,\nso warm, and\nfine" for i in range(80)]
    assert read(write(tmp_path / "own.csv", table(texts)))[0] == texts


def test_columns_go_by_number_where_there_is_no_header(tmp_path):
    rows = [f'"{4 * (label == "pos")}","{i}","{TEXTS[i]}"' for i, label in enumerate(LABELS)]
    path = write(tmp_path / "own.csv", "\n".join(rows))
    with pytest.raises(UserError, match=r"line 1: no column 'text' among '0', '0', 'Number 0 was"):
        read(path)
    texts, labels, told = read(path, text_column=3, label_column=1)
    assert texts == TEXTS
    assert labels == ["4" if label == "pos" else "0" for label in LABELS]
    assert told == "UTF-8, separated by commas, no header, quotes doubled"
    with pytest.raises(UserError, match=r"own\.csv has no column 4: its first row is \['0', '0', "):
        read(path, text_column=4, label_column=1)


def test_a_file_that_two_separators_fit_is_refused(tmp_path):
    path = write(tmp_path / "own.csv", "good, fine; warm\n" * 20)
    with pytest.raises(UserError, match=r"commas.* or with .*semicolons.*: give it a first line"):
        read(path, text_column=1, label_column=2)


@pytest.mark.parametrize(
    ("encoding", "line"), [("latin-1", 5), ("cp1252", 5), ("cp1251", 5), ("gb18030", 5)]
)
def test_another_encoding_is_told_with_its_line_and_read_if_named(tmp_path, encoding, line):
    word = {"cp1251": "вкусно и тепло", "gb18030": "味道很好我们还会再来"}.get(encoding, CAFE)
    texts = [text.replace("fine", word) if i >= line - 2 else text for i, text in enumerate(TEXTS)]
    path = write(tmp_path / "own.csv", table(texts).encode(encoding))
    with pytest.raises(UserError, match=rf"line {line} is not UTF-8: .* fetch\.encoding") as told:
        read(path)
    assert word in str(told.value)
    assert read(path, encoding=encoding)[0] == texts


def test_an_encoding_is_only_for_files_that_are_not_unicode(tmp_path):
    texts = [f"{text} {CAFE}" for text in TEXTS]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = write(tmp_path / "own.csv", table(texts).encode(encoding))
        assert read(path, encoding="cp1252")[0] == texts


def test_a_byte_that_the_encoding_does_not_have_is_told(tmp_path):
    path = write(tmp_path / "own.csv", table().encode() + b"\x81,pos\n")
    with pytest.raises(UserError, match=r"own\.csv, line 82: it is not in CP1252: "):
        read(path, encoding="cp1252")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("text,label\na,1\nb,c,0\n", r"line 3: 3 fields, where the header has 2"),
        (
            'text,label\n"a, b",1\n"never closed,1\nb,0\n',
            r"line 3: the quote that opens here is never",
        ),
        ('text,label\n"' + "x\n" * 600_000, r"line 2: a field of over 1,000,000 characters"),
        ("text,label\n" + "x" * 4_000_001, r"line 2: a line of over 4,000,000 characters"),
        ("text,text,label\na,b,1\n", r"line 1: 2 columns are called 'text': rename all but"),
        ("text, text,label\na,b,1\n", r"line 1: 2 columns are called 'text': rename all but"),
        (
            "name,label\na,1\n",
            r"line 1: no column 'text' among 'name', 'label': set fetch\.text_column",
        ),
        ("text\nlabel\n", r"line 1: no column 'label' among 'text': set fetch\.label_column"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, content, told):
    with pytest.raises(UserError, match=rf"own\.csv, {told}"):
        read(write(tmp_path / "own.csv", content))


def test_a_column_twice_does_no_harm_if_nobody_wants_it(tmp_path):
    content = table().replace("text,label", "text,label,more,more").replace("pos\n", "pos,,\n")
    content = content.replace("neg\n", "neg,,\n")
    assert read(write(tmp_path / "own.csv", content))[0] == TEXTS


def test_columns_are_found_however_their_letters_are_composed(tmp_path):
    decomposed = "cafe\N{COMBINING ACUTE ACCENT}"
    for header, wanted in ((decomposed, CAFE), (CAFE, decomposed)):
        path = write(tmp_path / "own.csv", table(header=(header, "label")))
        assert read(path, text_column=wanted)[0] == TEXTS


def test_reading_keeps_no_more_than_a_review(tmp_path):
    import tracemalloc

    def peak(count: int) -> int:
        path = write(tmp_path / "own.csv", "text,label\n" + '"Warm, so warm",pos\n' * count)
        tracemalloc.start()
        assert sum(1 for _ in readers.open_reviews(path, FETCH)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)  # what is imported and compiled once
    assert peak(60_000) < peak(6_000) + 2 * delimited.formats.BLOCK


CASES = Path("../shared/cases")  # beside the checkout, where there is one
SETTINGS: dict[str, dict] = {
    "kaggle_quotes.tsv": {"text_column": "review", "label_column": "sentiment"},
    "latin1_header.csv": {"text_column": CAFE, "encoding": "cp1252"},
    "latin1_text.csv": {"encoding": "cp1252"},
    "no_header.csv": {"text_column": 3, "label_column": 1},
}
REFUSED = {
    "duplicate_column.csv": "line 1: 2 columns are called 'text'",
    "page.csv": "is a web page or XML, titled 'Sign in, please'",
    "._plain.csv": "is what a Mac leaves beside a file",
}


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("*.?sv")))
def test_files_as_people_have_them(name):
    if name in REFUSED:
        with pytest.raises(UserError, match=REFUSED[name]):
            read(CASES / name)
        return
    texts, labels, told = read(CASES / name, **SETTINGS.get(name, {}))
    assert len(texts) == 80
    assert sorted(map(labels.count, set(labels))) == [40, 40]
    assert "separated by" in told
