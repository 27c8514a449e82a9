import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT

from sentiment import files


def write_and_fail(path: Path, error: BaseException) -> None:
    with files.atomic(path) as temporary:
        temporary.write_text("half of the new")
        raise error


@pytest.fixture
def small_disk():
    """Files end at 64 KiB, as on a full disk; the limit is this process's own."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_project_root_is_here_and_in_a_temporary_experiment_that_of_the_workspace(monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert files.project_root() == Path()
    monkeypatch.setenv("DVC_ROOT", "/somewhere/else")
    assert files.project_root() == Path("/somewhere/else")


def test_one_process_at_a_time_is_within_a_lock(tmp_path):
    within = (
        "import sys; from pathlib import Path; from sentiment import files\n"
        "with files.locked(sys.argv[1]):\n"
        "    for _ in range(300):\n"
        "        path = Path(sys.argv[2]); path.write_text(str(int(path.read_text()) + 1))\n"
    )
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", within, tmp_path / "lock", tmp_path / "count"]
    processes = [subprocess.Popen(command, cwd=PROJECT) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "900"


def test_locks_work_on_nfs(tmp_path, monkeypatch):
    """NFS locks only what is a file, open for writing."""

    def flock(file, operation):
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if mode == os.O_RDONLY or stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", flock)
    with files.locked(tmp_path / "lock"):
        pass


def test_atomic_makes_the_folder_and_keeps_the_suffix(tmp_path):
    path = tmp_path / "new" / "folder" / "table.csv"
    with files.atomic(path) as temporary:
        assert temporary.suffix == ".csv"
        assert temporary.parent == path.parent
        temporary.write_text("a,b\n")
        assert not path.exists()
    assert path.read_text() == "a,b\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_atomic_leaves_the_old_file_and_nothing_else_on_failure(tmp_path, error):
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(type(error)):
        write_and_fail(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_replaces_what_an_aborted_process_left(tmp_path):
    path = tmp_path / "metrics.json"
    with files.atomic(path) as temporary:
        temporary.write_text("left by a process that was killed")
        leftover = temporary
    leftover.write_text("left by a process that was killed")
    with files.atomic(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_array_and_no_temporary_file(tmp_path, small_disk):
    path = tmp_path / "x.npy"
    path.write_text("old")
    with pytest.raises(OSError) as raised, files.npy_rows(path, "int32", (1000, 500)) as rows:
        for _ in range(1000):
            rows.write(np.zeros((1, 500)))
    assert raised.value.errno == errno.EFBIG
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_below_a_file_is_refused_with_its_name(tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(OSError) as raised, files.atomic(tmp_path / "data" / "x.npy"):
        pytest.fail("the block must not begin")
    assert raised.value.filename == str(tmp_path / "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder_is_refused_with_the_files_name(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as raised, files.atomic(tmp_path / "x.csv") as temporary:
        temporary.write_text("new")
    assert raised.value.filename == str(temporary)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (0, 3)])
def test_rows_written_in_parts_are_read_by_numpy_as_one_array(tmp_path, shape):
    expected = np.arange(np.prod(shape)).reshape(shape)
    with files.npy_rows(tmp_path / "x.npy", "int32", shape) as rows:
        rows.write(expected[:2])
        rows.write(expected[2:])
    array = np.load(tmp_path / "x.npy", allow_pickle=False)
    assert array.dtype == np.int32
    np.testing.assert_array_equal(array, expected)


def test_a_whole_array_is_written_as_it_is(tmp_path):
    expected = np.linspace(0, 1, 5, dtype=np.float32)
    files.save_npy(tmp_path / "x.npy", expected)
    array = np.load(tmp_path / "x.npy", allow_pickle=False)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, expected)


def test_rows_in_another_memory_order_are_written_in_theirs(tmp_path):
    expected = np.asfortranarray(np.arange(6).reshape(2, 3))
    with files.npy_rows(tmp_path / "x.npy", "int8", (2, 3)) as rows:
        rows.write(expected)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)


@pytest.mark.parametrize("written", [4, 6])
def test_another_number_of_rows_than_announced_is_refused(tmp_path, written):
    with (
        pytest.raises(ValueError, match=f"{written} rows written, 5 announced"),
        files.npy_rows(tmp_path / "x.npy", "int32", (5, 2)) as rows,
    ):
        rows.write(np.zeros((written, 2)))
    assert list(tmp_path.iterdir()) == []


def test_rows_of_another_width_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match=r"\(2,\)"),
        files.npy_rows(tmp_path / "x.npy", "int32", (2, 2)) as rows,
    ):
        rows.write(np.zeros((1, 4)))


def zip_of(path: Path, members: dict[str, str], year: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 2, 3, 4, 5, 6)), content)
    return path


def test_normalised_archives_of_the_same_contents_are_the_same_bytes(tmp_path):
    one = zip_of(tmp_path / "1.zip", {"a": "same", "date": "monday"}, 1999)
    two = zip_of(tmp_path / "2.zip", {"date": "tuesday", "a": "same"}, 2024)
    for path in (one, two):
        files.normalise_zip(path, lambda members: members | {"date": b""})
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a": b"same",
            "date": b"",
        }
        assert {info.date_time[:3] for info in archive.infolist()} == {(1980, 1, 1)}


def test_normalised_archives_of_other_contents_differ(tmp_path):
    one = zip_of(tmp_path / "1.zip", {"a": "same"}, 1999)
    two = zip_of(tmp_path / "2.zip", {"a": "other"}, 1999)
    for path in (one, two):
        files.normalise_zip(path, lambda members: members)
    assert one.read_bytes() != two.read_bytes()


def test_addresses_become_ordinals_in_order_of_appearance():
    text, ordinals = files.renumber('{"id": 9871, "of": 1234, "see": 9871, "size": 12}', r"\d{4}")
    assert text == '{"id": 0, "of": 1, "see": 0, "size": 12}'
    assert ordinals == {"9871": "0", "1234": "1"}


def test_keep_only_removes_files_and_folders_of_other_names(tmp_path):
    for name in ("kept/43/model", "kept/44/model", "kept/history", "kept/old", "beside/it"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("content")
    files.keep_only(tmp_path / "kept", ["history", "43", "not there"])
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"kept/43/model", "kept/history", "beside/it"}


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    (tmp_path / ".partial-new").mkdir()
    (tmp_path / ".partial-new/stale").touch()
    with pytest.raises(KeyboardInterrupt), files.atomic_folder(tmp_path / "new") as folder:
        (folder / "one").touch()
        raise KeyboardInterrupt
    assert not [*tmp_path.iterdir()]
    with files.atomic_folder(tmp_path / "new") as folder:
        (folder / "one").touch()
        assert not (tmp_path / "new").exists()
    assert [*tmp_path.rglob("*")] == [tmp_path / "new", tmp_path / "new/one"]
