import gzip
import hashlib
import io
import tarfile
import tracemalloc
import zlib

import numpy as np
import pytest

from sentiment.data import imdb
from sentiment.errors import UserError

REVIEWS = {
    "aclImdb/train/pos/0_9.txt": b"Bromwell High is a cartoon comedy.",
    "aclImdb/train/pos/2_7.txt": b"It was fine.",
    "aclImdb/train/pos/10_10.txt": "Très bien.<br />".encode(),
    "aclImdb/train/neg/0_3.txt": b"Story of a man.",
    "aclImdb/train/neg/1_1.txt": b"",
    "aclImdb/test/pos/0_10.txt": b"I went and saw this movie last night.",
    "aclImdb/test/neg/0_2.txt": b"Once again Mr. Costner has dragged it out.",
}
FILMS = {  # by review number, as `read_archive` returns them
    "aclImdb/train/urls_pos.txt": b"tt10\ntt11\ntt12\n" + b"\n".join([b"tt13"] * 8),
    "aclImdb/train/urls_neg.txt": b"tt20\ntt21",
    "aclImdb/train/urls_unsup.txt": b"\n".join(b"tt%d" % n for n in range(30, 41)),
    "aclImdb/test/urls_pos.txt": b"tt40",
    "aclImdb/test/urls_neg.txt": b"tt0050",
}
LABELLED = REVIEWS | FILMS
UNLABELLED = {
    "aclImdb/train/unsup/10_0.txt": b"Neither here nor there.",
    "aclImdb/train/unsup/2_0.txt": b"Seen on a plane.",
}


def member(name: str, content: bytes = b"", **attributes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def tar(members, format_: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def addresses(films: bytes) -> bytes:
    """Return the list of an archive: a film's number is in an address, of one form or another."""
    forms = (b"http://www.imdb.com/title/%s/usercomments\n", b"https://imdb.com/title/%s/reviews\n")
    return b"".join(forms[n % 2] % film for n, film in enumerate(films.split()))


LISTS = [member(name, addresses(films)) for name, films in FILMS.items()]
GOOD = [member(name, content) for name, content in REVIEWS.items()] + LISTS
TAR = tar(GOOD)


@pytest.fixture(autouse=True)
def small_data_set(monkeypatch):
    kinds = {"labelled reviews": REVIEWS, "unlabelled reviews": UNLABELLED, "lists of films": FILMS}
    for kind, members in kinds.items():
        monkeypatch.setitem(imdb.CONTENTS, kind, (len(members), imdb.digest(members)))


@pytest.fixture
def read(tmp_path):
    """Return what is read from an archive of these bytes, packed already or not."""

    def read(content: bytes, packed: bool = False) -> dict[str, bytes]:
        path = tmp_path / imdb.ARCHIVE
        path.write_bytes(content if packed else gzip.compress(content))
        return imdb.read_archive(path)

    return read


@pytest.fixture
def refusal(read, tmp_path):
    """Return the message with which an archive is refused; it names the archive."""

    def refusal(content: bytes, packed: bool = False) -> str:
        with pytest.raises(UserError) as refused:
            read(content, packed)
        assert str(tmp_path / imdb.ARCHIVE) in str(refused.value)
        return str(refused.value)

    return refusal


def test_the_digest_is_that_of_path_and_bytes_each_followed_by_nul():
    expected = hashlib.sha256(b"a\0first\0b\0second\0").hexdigest()
    assert imdb.digest({"b": b"second", "a": b"first"}) == expected


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reviews_are_read_however_they_are_packed(read, format_):
    shuffled = GOOD[3:] + GOOD[:3]
    directory = member("aclImdb/train/pos", type=tarfile.DIRTYPE)
    assert read(tar([directory, *shuffled], format_)) == LABELLED


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "aclImdb/train/pos/../../../../evil_1.txt",
        "aclImdb/train/pos/0_9.txt/../1_1.txt",
        "./aclImdb/train/pos/7_7.txt",
        "aclImdb/train/pos/7_7.txt\n",
        "aclImdb/train/pos/\N{ARABIC-INDIC DIGIT SEVEN}_7.txt",
        "aclImdb/train/pos/7_777.txt",
        "aclImdb/train/unsup/7_0.txt",
        "aclImdb/urls_pos.txt",
        "x" * 300,
    ],
)
def test_members_of_other_names_are_passed_over(read, tmp_path, name):
    assert read(tar([member(name, b"hostile"), *GOOD])) == LABELLED
    assert list(tmp_path.rglob("*")) == [tmp_path / imdb.ARCHIVE]


@pytest.mark.parametrize(
    "type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_what_is_no_regular_file_is_no_review(refusal, type_):
    name = "aclImdb/train/pos/0_9.txt"
    link = member(name, type=type_, linkname="/etc/passwd")
    assert "has 6 labelled reviews" in refusal(tar([link, *GOOD[1:]]))


def test_a_review_that_is_there_twice_is_refused(refusal):
    assert "aclImdb/train/pos/0_9.txt is there twice" in refusal(tar([*GOOD, GOOD[0]]))


def test_one_changed_byte_is_refused(refusal):
    message = refusal(TAR.replace(b"Bromwell High", b"Bromwell Hugh"))
    assert imdb.digest(REVIEWS) in message
    assert "Replace it with a good copy" in message


def test_unlabelled_reviews_are_read_where_they_are_asked_for(tmp_path):
    path = tmp_path / imdb.ARCHIVE
    unlabelled = [member(name, content) for name, content in UNLABELLED.items()]
    path.write_bytes(gzip.compress(tar([*unlabelled, *GOOD])))
    assert imdb.read_archive(path) == LABELLED
    assert imdb.read_archive(path, unlabelled=True) == LABELLED | UNLABELLED


def test_a_changed_unlabelled_review_is_refused(tmp_path):
    path = tmp_path / imdb.ARCHIVE
    path.write_bytes(gzip.compress(TAR))
    with pytest.raises(UserError, match="has 0 unlabelled reviews"):
        imdb.read_archive(path, unlabelled=True)


def test_unlabelled_rows_come_last_and_leave_the_others_as_they_were():
    rows = imdb.in_keras_order(LABELLED | UNLABELLED)
    assert rows[: len(REVIEWS)].equals(imdb.in_keras_order(LABELLED))
    assert rows[len(REVIEWS) :].values.tolist() == [
        ["unlabelled", imdb.NO_LABEL, 0, "tt40", "train/unsup/10_0", "Neither here nor there."],
        ["unlabelled", imdb.NO_LABEL, 0, "tt32", "train/unsup/2_0", "Seen on a plane."],
    ]


def test_a_missing_review_is_refused(refusal):
    assert "has 6 labelled reviews" in refusal(tar(GOOD[1:]))


@pytest.mark.parametrize("missing", LISTS, ids=lambda list_: list_[0].name)
def test_a_missing_list_of_films_is_refused(refusal, missing):
    assert "has 4 lists of films" in refusal(tar([one for one in GOOD if one is not missing]))


@pytest.mark.parametrize(
    ("films", "instead"), [(b"/tt10/", b"/tt99/"), (b"/title/tt10/", b"/name/nm10/")]
)
def test_another_film_or_a_line_without_one_is_refused(refusal, films, instead):
    message = refusal(TAR.replace(films, instead))
    assert imdb.digest(FILMS) in message
    assert "Replace it with a good copy" in message


def test_a_review_too_many_is_refused(refusal):
    assert "has 8 labelled reviews" in refusal(
        tar([*GOOD, member("aclImdb/test/neg/9_1.txt", b"!")])
    )


@pytest.mark.parametrize("kept", [1, 9, 10, 60, 150, 0.5, 0.9])
def test_a_truncated_archive_is_refused(refusal, kept):
    packed = gzip.compress(TAR)
    end = kept if isinstance(kept, int) else int(len(packed) * kept)
    assert "Replace it with a good copy" in refusal(packed[:end], packed=True)


@pytest.mark.parametrize("at", [0, 2, 20, 60, -60])
def test_a_corrupt_archive_is_refused(refusal, at):
    packed = bytearray(gzip.compress(TAR))
    packed[at] ^= 0xFF
    assert "Replace it with a good copy" in refusal(bytes(packed), packed=True)


def test_a_review_damaged_in_the_middle_is_refused(refusal):
    archive = tar([member("aclImdb/train/pos/0_9.txt", b"!" * 200_000), *GOOD[1:]])
    deflate = zlib.compressobj(wbits=31)
    whole = deflate.compress(archive[:100_000]) + deflate.flush(zlib.Z_FULL_FLUSH)
    assert "invalid block type" in refusal(whole + b"\xff" * 1000, packed=True)


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><title>Sign in</title>" * 99, TAR, b"\x1f\x8b", b"\0" * 2048]
)
def test_what_is_no_packed_archive_is_refused(refusal, content):
    assert "is not a whole .tar.gz archive" in refusal(content, packed=True)


def test_a_packed_page_is_no_archive(refusal):
    assert "is not a whole .tar.gz archive" in refusal(b"<!DOCTYPE html>" * 99)


def test_attributes_that_cannot_be_read_are_refused(refusal):
    sparse = member("a", pax_headers={"GNU.sparse.map": "nowhere", "GNU.sparse.size": "9"})
    message = refusal(tar([sparse, *GOOD], tarfile.PAX_FORMAT))
    assert "is not a whole .tar.gz archive" in message


def test_a_review_of_impossible_length_is_refused_unread(refusal):
    info, _ = member("aclImdb/train/pos/0_9.txt", size=6_000_000)
    assert "has 6,000,000 bytes: refused" in refusal(info.tobuf() + TAR)


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(refusal):
    info, _ = member("aclImdb/unsup.feat", size=2_000_000_000)
    assert "unpacks to over 1,000,000,000 bytes" in refusal(info.tobuf() + TAR)


def test_many_small_members_add_up(refusal, monkeypatch):
    monkeypatch.setattr(imdb, "_LARGEST_ARCHIVE", 100_000)
    empty = [member(f"empty/{i}") for i in range(300)]
    assert "unpacks to over 100,000 bytes" in refusal(tar([*empty, *GOOD]))


@pytest.mark.parametrize("type_", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_bomb_in_a_header_is_refused_before_it_fills_the_memory(refusal, type_):
    size = 200_000_000
    info, _ = member("bomb", size=size, type=type_)
    packed = gzip.compress(info.tobuf()) + gzip.compress(bytes(1_000_000)) * (size // 1_000_000)
    tracemalloc.start()
    message = refusal(packed, packed=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "has a header of over 65,536 bytes" in message
    assert peak < 5_000_000


def test_headers_upon_headers_are_refused(refusal):
    info, _ = member("././@LongLink", size=0, type=tarfile.GNUTYPE_LONGNAME)
    assert "has a header of over 65,536 bytes" in refusal(info.tobuf() * 10_000 + TAR)


def test_the_memory_of_an_archive_is_that_of_its_reviews(read):
    many = [member(f"aclImdb/train/unsup/{i}_0.txt") for i in range(3000)]
    content = tar([*many, *GOOD])
    tracemalloc.start()
    read(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_rows_come_in_the_order_of_keras():
    rows = imdb.in_keras_order(LABELLED)

    generator = np.random.RandomState(113)
    train = ["train/pos/0_9", "train/pos/10_10", "train/pos/2_7", "train/neg/0_3", "train/neg/1_1"]
    order = np.arange(5)
    generator.shuffle(order)
    test = ["test/pos/0_10", "test/neg/0_2"]
    test_order = np.arange(2)
    generator.shuffle(test_order)
    assert list(rows.id) == [train[i] for i in order] + [test[i] for i in test_order]


def test_rows_say_what_their_name_says():
    rows = imdb.in_keras_order(LABELLED).set_index("id")
    assert rows.loc["train/pos/10_10"].to_dict() == {
        "split": "train",
        "label": 1,
        "rating": 10,
        "film": "tt13",
        "text": "Très bien.<br />",
    }
    assert rows.loc["test/neg/0_2", ["split", "label", "rating"]].tolist() == ["test", 0, 2]
    assert rows.loc[["train/neg/1_1", "test/neg/0_2"], "film"].tolist() == ["tt21", "tt0050"]
    assert rows.label.dtype == rows.rating.dtype == np.int8


def test_the_word_index_is_verified_byte_for_byte(tmp_path, monkeypatch):
    path = tmp_path / imdb.WORD_INDEX
    path.write_bytes(b'{"the": 1}')
    with pytest.raises(UserError, match="Replace it with a good copy"):
        imdb.read_word_index(path)
    monkeypatch.setattr(imdb, "WORD_INDEX_DIGEST", hashlib.sha256(b'{"the": 1}').hexdigest())
    assert imdb.read_word_index(path) == b'{"the": 1}'
