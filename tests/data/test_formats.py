"""Which files are reviews, and what is said of those that are not."""

import gzip
import os
import zipfile
from pathlib import Path

import pytest

from sentiment import params
from sentiment.data import formats, readers
from sentiment.errors import UserError

FETCH = params.read("params.yaml").fetch
GOOD = "text,label\ngood,1\nbad,0\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "mine.csv").write_text(GOOD)
    return tmp_path / "reviews"


@pytest.mark.parametrize(
    "name",
    ["._mine.csv", ".~lock.mine.csv#", "~$mine.csv", ".DS_Store", "Thumbs.db", "mine.csv~", ".csv"],
)
def test_what_systems_leave_beside_a_file_is_passed_over(folder, name):
    (folder / name).write_bytes(b"\0\5\x16\7")
    assert formats.find(str(folder)) == [folder / "mine.csv"]
    assert formats.find(str(folder / "*.csv")) == [folder / "mine.csv"]


def test_files_of_all_formats_in_a_folder(folder):
    names = ["a.TSV", "b.CSV.GZ", "c.jsonl.gz", "d.parquet", "mine.csv"]
    for name in (*names, "README.md", "notes.txt"):
        (folder / name).touch()
    (folder / "deeper.csv").mkdir()
    assert [path.name for path in formats.find(str(folder))] == names


@pytest.mark.parametrize("name", ["mine (1).csv", "mine[1].csv", "мои.csv", "a*b?.csv", "export"])
def test_a_file_of_any_name(tmp_path, name):
    for folder in (tmp_path / "plain", tmp_path / "old [2] (и)"):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(GOOD)
        assert formats.find(str(folder / name)) == [folder / name]
        assert formats.find(f"{folder}/*") == [folder / name]


def test_the_home_folder_has_its_short_name(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert formats.find("~/mine.csv") == [folder / "mine.csv"]
    assert formats.find("~/*.csv") == [folder / "mine.csv"]


@pytest.mark.parametrize("typed", ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\u0301"])
@pytest.mark.parametrize("stored", ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\u0301"])
def test_letters_of_a_name_may_be_composed_otherwise(tmp_path, typed, stored):
    (tmp_path / stored).mkdir()
    (tmp_path / stored / "own.csv").write_text(GOOD)
    for pattern in ("", "/own.csv", "/*.csv"):
        (found,) = formats.find(f"{tmp_path}/{typed}{pattern}")
        assert found.samefile(tmp_path / stored / "own.csv")


def test_links_are_followed_and_lost_ones_told(folder):
    (folder / "linked.csv").symlink_to("mine.csv")
    assert len(formats.find(str(folder))) == 2
    (folder / "lost.csv").symlink_to("nowhere.csv")
    with pytest.raises(UserError, match=r"lost\.csv is a link to a file that is not there"):
        formats.find(str(folder))


@pytest.mark.parametrize(
    "source", ["imbd", "reviews/**x", "~nobody/own.csv", "/nowhere/*.csv", "?"]
)
def test_what_is_not_there_is_told(source):
    with pytest.raises(UserError, match="is neither imdb nor sample, and there is no such file or"):
        formats.find(source)


def test_a_folder_without_reviews_is_told_with_what_it_has(folder):
    (folder / "mine.csv").rename(folder / "mine.xlsx")
    with pytest.raises(UserError, match=r"folder of \.csv, .* files; it has mine\.xlsx$"):
        formats.find(str(folder))


def zipped(*names: str) -> bytes:
    import io

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), "content")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "is a spreadsheet or document .*as CSV"),
        (zipped("mimetype", "content.xml"), "is a spreadsheet or document .*: save it as CSV"),
        (zipped("mine.csv"), r"is a zip archive of mine\.csv: unpack it, and name the file"),
        (zipped("mine.csv")[:40], "is a damaged zip archive or spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), r"is an old spreadsheet \(.xls\)"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"{\\rtf1 text}", "is rich text"),
        (b"BZh91AY&SY", "is packed by bzip2: unpack it"),
        (gzip.compress(b"\0" * 257 + b"ustar", mtime=0), "is a tar archive: unpack it"),
        (gzip.compress(b"PAR1", mtime=0), "is a packed Parquet file: unpack it"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "is what a Mac leaves beside a file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, .*lfs pull"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"\x89PNG\r\n\x1a\n", "is an image"),
        (b"<!DOCTYPE html>\n<title> Sign in </title>", "is a web page or XML, titled 'Sign in',"),
        (b"\xef\xbb\xbf \n<html><table>", "is a web page or XML, and no table"),
        ("<?xml version='1.0'?>".encode("utf-16"), "is a web page or XML"),
        (b'[\n  {"text": "a"}\n]', r"is one JSON array: .*`jq -c '\.\[\]'`"),
        (b"\1\2\3\4\n", "is no text: its first line has control characters"),
    ],
)
def test_what_has_no_reviews_is_told_by_what_it_is(tmp_path, content, told):
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(UserError, match=rf"own\.csv {told}"):
        readers.open_reviews(tmp_path / "own.csv", FETCH)


def test_a_parquet_file_is_one_by_its_content(tmp_path):
    (tmp_path / "own.parquet").write_text(GOOD)
    with pytest.raises(UserError, match=r"own\.parquet is no Parquet file, though its name says"):
        readers.open_reviews(tmp_path / "own.parquet", FETCH)


@pytest.mark.parametrize("name", ["own.csv", "own.txt", "export"])
def test_lines_of_json_are_read_under_any_name(tmp_path, name):
    (tmp_path / name).write_text('{"text": "good", "label": 1}\n' * 3)
    file = readers.open_reviews(tmp_path / name, FETCH)
    assert file.assumed == "JSON Lines, UTF-8"
    assert [*file] == [(line, ["good", 1]) for line in (1, 2, 3)]


def test_a_name_that_is_not_utf_8_can_be_printed():
    assert formats.printable(Path(os.fsdecode(b"caf\xe9"))) == "caf\N{REPLACEMENT CHARACTER}"
