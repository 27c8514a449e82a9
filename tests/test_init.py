"""What the package pins before libraries are imported: other settings change no number."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT, Copy

KERAS_JSON = (
    '{"backend": "jax", "floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}'
)
ELSEWHERE = {
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "true",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "NUMBA_DISABLE_JIT": "1",
    "NUMBA_OPT": "0",
    "MPLBACKEND": "module://of_another_project",
}


@pytest.fixture
def elsewhere(tmp_path) -> dict[str, str]:
    """Settings of another project: variables, a home, and packages of the same names."""
    home, packages = tmp_path / "home", tmp_path / "packages"
    for folder in (".keras", ".config/matplotlib", ".config/keras"):
        (home / folder).mkdir(parents=True)
    (home / ".keras/keras.json").write_text(KERAS_JSON)
    (home / ".config/matplotlib/matplotlibrc").write_text("axes.facecolor: red\nfont.size: 30\n")
    for name in ("keras", "numba", "matplotlib", "sklearn"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(f"raise ImportError('another {name}')")
    return ELSEWHERE | {"HOME": str(home), "PYTHONPATH": str(packages)}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train", "plot"])
def test_settings_of_another_project_change_no_output(project, elsewhere, stage):
    outputs = {"train": "data/rnn", "plot": "data/plots"}[stage]

    def files() -> dict[str, bytes]:
        paths = [path for path in (project.root / outputs).rglob("*") if path.is_file()]
        return {path.name: path.read_bytes() for path in paths}

    before = files()
    shutil.rmtree(project.root / outputs)
    project.python("-m", f"stages.{stage}", **elsewhere)
    assert files() == before


def python(code: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=PROJECT, env=os.environ | variables, capture_output=True, text=True
    )


CONFIGURED = """
import os, sentiment, matplotlib, numba
from sentiment.rnn.backend import keras
print(keras.config.backend(), keras.config.floatx(), keras.config.epsilon())
print(numba.config.DISABLE_JIT, matplotlib.rcParams["font.size"])
print(*sorted(set(os.environ) & set({names})))
"""


def test_settings_of_another_project_are_dropped(elsewhere):
    done = python(CONFIGURED.format(names=[*ELSEWHERE]), **elsewhere)
    assert done.stdout.splitlines() == [
        "tensorflow float32 1e-07",
        "0 10.0",
        "KERAS_BACKEND MPLBACKEND",
    ], done.stderr


def test_a_keras_that_is_configured_otherwise_already_is_told():
    code = "import keras; keras.config.set_floatx('float16'); from sentiment.rnn import backend"
    done = python(code)
    assert "UserError: Keras was imported with other settings already" in done.stderr


def test_numbers_of_threads_and_a_cache_are_left_to_the_user():
    variables = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": "/cache"}
    done = python(
        f"import os, sentiment; print({variables!r}.items() <= os.environ.items())", **variables
    )
    assert done.stdout == "True\n"


def test_a_user_without_a_name_has_one():
    alone = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("this system has no such users")
    unnamed = ["env", *(f"--unset={name}" for name in ("USER", "LOGNAME", "LNAME", "USERNAME"))]
    code = "import sentiment, getpass; print(getpass.getuser())"
    command = [*alone, *unnamed, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout == "12345\n", done.stderr


READ_ONLY = "mount --bind . . && mount -o remount,bind,ro ."
ASK = "from sentiment.rnn.kernels import simple_rnn; print('imported')"


@pytest.mark.parametrize("home", ["writable", "read-only"])
def test_a_read_only_checkout_can_be_used(tmp_path, home):
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("this system lets no process have mounts of its own")
    root = tmp_path / "project"
    shutil.copytree(PROJECT / "sentiment", root / "sentiment")
    for cache in root.rglob("__pycache__"):
        shutil.rmtree(cache)
    homes = {"writable": tmp_path, "read-only": root}
    script = f'{READ_ONLY} && cd . && "{sys.executable}" -c "{ASK}"'
    environment = Copy(root).environment(HOME=str(homes[home]))
    for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        environment.pop(name, None)
    done = subprocess.run(
        [*alone, "sh", "-c", script], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "imported\n", done.stderr
    assert not list(root.rglob("__pycache__"))
