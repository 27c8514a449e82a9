"""The library; its packages are the stations of a review.

    data         where reviews come from, and which of them validate
    text         words, word index, token ids, padding
    bags, rnn    the models: bags of words and of n-grams; recurrent networks
    evaluation   scores, paired tests, slices, the blend
    report       figures, sentences, the page
    tracking     MLflow, which only watches
    distributed  Ray

`models` is the one table of models, `paths` has every file, `params` reads params.yaml.
"""

import atexit
import gc
import getpass
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

# Importing MLflow or TensorFlow makes a million objects that stay. As often as Python looks among
# them for garbage by default, that is a fifth of the imports, and half a second more at the end.
gc.set_threshold(10_000)
atexit.register(gc.freeze)

# Settings of libraries are made here, since they are read when a library is first imported.

# Quiet logs and no telemetry.
for _name, _value in {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GIT_PYTHON_REFRESH": "quiet",  # MLflow's library, where Git is not installed
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # Ray Tune's boxes
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down is an error in seconds
}.items():
    os.environ.setdefault(_name, _value)

# What computes is what the lock installed, with its own defaults. Settings of another project would
# change numbers and figures, and DVC would not know. Numbers of threads change nothing and stay.
_SETTINGS = re.compile(
    r"KERAS_|(TF_)?XLA_|TF_(ENABLE_|DISABLE_|USE_|DETERMINISTIC|CUDNN_|OVERRIDE_)|NVIDIA_TF32"
    r"|(ONE)?DNN(L)?_|NPY_|OPENBLAS_CORETYPE|MKL_(?!NUM_THREADS)|NUMBA_(?!NUM_THREADS|THREADING|CACHE_)"
)
for _name in filter(_SETTINGS.match, list(os.environ)):
    del os.environ[_name]
os.environ |= {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,  # no keras.json
    "MATPLOTLIBRC": os.devnull,
    "MPLBACKEND": "agg",
}
_added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
sys.path[1:] = sorted(sys.path[1:], key=_added.__contains__)  # packages there come after the lock's

try:
    getpass.getuser()
except (KeyError, OSError):  # a container's user may have no name, which DVC and MLflow ask for
    os.environ["USER"] = str(os.getuid())


def _is_writable(folder: Path) -> bool:
    """Return whether a folder, there or to be made, can be written to."""
    there = next(parent for parent in (folder, *folder.parents) if os.access(parent, os.F_OK))
    return os.access(there, os.W_OK)


# Numba keeps what it compiled beside the code, in DVC's temporary experiments beside that of the
# workspace, or in the user's cache. Where it can write to neither, as in a container with a
# read-only checkout, it would refuse to compile at all.
_root = os.environ.get("DVC_ROOT", Path(__file__).parents[1])
_caches = [
    Path(_root, "sentiment/rnn/kernels/__pycache__"),
    Path(os.environ.get("XDG_CACHE_HOME", Path(os.environ.get("HOME", "/"), ".cache")), "numba"),
]
if "NUMBA_CACHE_DIR" not in os.environ:
    if not (_writable := [*filter(_is_writable, _caches)]):
        _writable = [Path(tempfile.mkdtemp(prefix="numba-"))]
        atexit.register(shutil.rmtree, _writable[0], ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(_writable[0])
os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = "sentiment.rnn.kernels.cache.Locator"
