import errno
import os
import signal
import subprocess
import sys

import pytest
from conftest import PROJECT

from sentiment import console


def leave_with(error: BaseException) -> SystemExit:
    """Run a `main` that raises `error` and return the exit."""

    def main():
        raise error

    with pytest.raises(SystemExit) as exit_:
        console.run(main)
    return exit_.value


def script(body: str) -> list[str]:
    """A command that runs `body` as the `main` of a script."""
    lines = [
        "import time",
        "from sentiment import console, errors",
        "def main():",
        *(f"    {line}" for line in body.splitlines()),
        "console.run(main)",
    ]
    return [sys.executable, "-c", "\n".join(lines)]


def test_what_main_does_is_done_and_the_exit_is_clean():
    done = []
    console.run(lambda: done.append(True))
    assert done


def test_user_error_is_a_message_on_standard_error_without_traceback():
    finished = subprocess.run(
        script(
            "from sentiment.errors import UserError\n"
            "raise UserError('the archive is cut short: fetch it again')"
        ),
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1
    assert finished.stderr == "error: the archive is cut short: fetch it again\n"
    assert finished.stdout == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_has_had_enough_ends_it_quietly(unbuffered, lines):
    process = subprocess.Popen(
        script(f"input()\nfor line in range({lines}):\n    print(line)"),
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()  # as head does
    _, stderr = process.communicate(b"\n", timeout=60)
    assert process.returncode == console.BROKEN_PIPE
    assert stderr == b""


def test_another_broken_pipe_is_a_defect():
    finished = subprocess.run(script("raise BrokenPipeError('ours')"), capture_output=True)
    assert finished.returncode == 1
    assert b"BrokenPipeError: ours" in finished.stderr


def test_what_a_terminal_cannot_show_is_escaped():
    finished = subprocess.run(
        script(r"print('caf\xe9 \ud800')"),
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == b"caf\\xe9 \\ud800\n"


def test_keyboard_interrupt_is_a_calm_word_and_code_130():
    process = subprocess.Popen(
        script("print('ready', flush=True)\ntime.sleep(60)"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr


def test_an_interrupt_within_executed_source_has_code_130_too(tmp_path):
    source = "import signal; signal.raise_signal(signal.SIGINT)"
    (tmp_path / "interrupted.py").write_text(
        "from sentiment import console\n"
        "def main():\n"
        "    print('kept')\n"
        f"    exec({source!r})\n"
        "console.run(main)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 130
    assert finished.stdout == "kept\n"
    assert "interrupted" in finished.stderr


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    try:
        (tmp_path / "absent" / "x.npy").open("wb")
    except OSError as error:
        message = leave_with(error).code
    assert message.startswith(f"error: {tmp_path}/absent/x.npy: No such file or directory.")


def test_a_full_disk_names_no_file_and_is_still_told():
    message = leave_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))).code
    assert message == (
        "error: No space left on device. Results of earlier runs are left as they were."
    )


@pytest.mark.parametrize("defect", [ValueError("ours"), KeyError("ours"), OSError("ours")])
def test_any_other_exception_keeps_its_traceback(defect):
    def main():
        raise defect

    with pytest.raises(type(defect)) as raised:
        console.run(main)
    assert raised.value is defect


def test_hushed_drops_what_goes_to_the_file_descriptor_and_nothing_after_it(capfd):
    with console.hushed():
        os.write(2, b"native noise\n")
        print("result")
    os.write(2, b"a word of warning\n")
    out, err = capfd.readouterr()
    assert out == "result\n"
    assert err == "a word of warning\n"


def test_hushed_restores_standard_error_after_an_exception(capfd):
    with pytest.raises(ZeroDivisionError), console.hushed():
        os.write(2, b"native noise\n")
        raise ZeroDivisionError
    os.write(2, b"a word of warning\n")
    assert capfd.readouterr().err == "a word of warning\n"


def test_hushed_leaves_no_file_descriptor_behind():
    def count() -> int:
        return len(os.listdir("/dev/fd"))  # noqa: PTH208 - of macOS too

    before = count()
    for _ in range(3):
        with console.hushed():
            pass
    assert count() == before


@pytest.mark.parametrize(
    ("error", "code", "last"),
    [
        ("KeyboardInterrupt", 130, "interrupted: "),
        ("ImportError('failed') from KeyboardInterrupt()", 130, "interrupted: "),
        ("ValueError('ours')", 1, "ValueError: ours"),
    ],
)
def test_only_interrupts_are_expected_outside_of_run(error, code, last):
    body = f"from sentiment import console\nconsole.expect_interrupts()\nraise {error}"
    finished = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True)
    assert finished.returncode == code
    assert finished.stderr.splitlines()[-1].startswith(last)
    assert ("Traceback" in finished.stderr) == (code == 1)
