import re
import shutil
from functools import reduce
from io import StringIO
from operator import getitem
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sentiment import params
from sentiment.errors import UserError

PROJECT = Path("params.yaml").read_text()


@pytest.fixture
def refusal(tmp_path):
    """Return the message with which a parameter file is refused."""

    def read(content: str | bytes) -> str:
        path = tmp_path / "params.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError) as refused:
            params.read(path)
        assert str(path) in str(refused.value)
        return str(refused.value)

    return read


@pytest.fixture
def read(tmp_path):
    """Return the parameters read from a text."""

    def read(content: str) -> params.Params:
        path = tmp_path / "params.yaml"
        path.write_text(content)
        return params.read(path)

    return read


def having(key: str, value: str) -> str:
    """The project's params.yaml with another value, as YAML, for a dotted key."""
    yaml, text = YAML(), StringIO()
    content = yaml.load(PROJECT)
    *sections, name = key.split(".")
    section = reduce(getitem, sections, content)
    assert name in section
    section[name] = "PLACE"
    yaml.dump(content, text)
    return text.getvalue().replace("PLACE", value)


def test_the_projects_own_parameters_are_valid():
    assert params.read("params.yaml").train.units == 28


def test_seeds_follow_the_first(read):
    assert list(read(PROJECT).train_seeds) == [42]
    several = read(
        having("num_seeds", "3").replace(
            "  seed: 42                # the order", "  seed: 7 # the order"
        )
    )
    assert list(several.train_seeds) == [42, 43, 44]
    assert list(several.baseline_seeds) == [7, 8, 9]


def test_parameters_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        params.read("params.yaml").train.units = 29


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train.units", "010", 10),  # YAML 1.2: not octal
        ("train.units", "0o10", 8),
        ("train.units", "0x1c", 28),
        ("train.learning_rate", "1e-3", 0.001),  # YAML 1.1 has a text here
        ("train.learning_rate", "1", 1.0),
    ],
)
def test_numbers_are_those_that_dvc_reads(read, key, value, expected):
    assert reduce(getattr, key.split("."), read(having(key, value))) == expected


def test_dvc_reads_the_same_values(tmp_path, read):
    from dvc.utils.serialize import load_yaml

    ours = read(having("train.learning_rate", "1e-3").replace("units: 28", "units: 010"))
    assert load_yaml(tmp_path / "params.yaml") == ours.model_dump(mode="json")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "train.deterministic",
            "no",
            "train.deterministic = 'no': input should be a valid boolean",
        ),
        ("train.units", "28.0", "train.units = 28.0: input should be a valid integer"),
        ("train.units", "'28'", "train.units = '28': input should be a valid integer"),
        ("train.units", "true", "train.units = True: input should be a valid integer"),
        ("train.units", "1:20", "train.units = '1:20': input should be a valid integer"),
        ("train.units", "0", "train.units = 0: input should be greater than or equal to 1"),
        ("train.units", "!!binary aGk=", "train.units = b'hi': input should be a valid integer"),
        ("train.units", "2026-01-01", "train.units = datetime.date(2026, 1, 1): "),
        (
            "train.learning_rate",
            ".nan",
            "train.learning_rate = nan: input should be a finite number",
        ),
        (
            "train.learning_rate",
            ".inf",
            "train.learning_rate = inf: input should be a finite number",
        ),
        (
            "train.learning_rate",
            "1e999",
            "train.learning_rate = inf: input should be a finite number",
        ),
        ("train.learning_rate", "0", "train.learning_rate = 0: input should be greater than 0"),
        ("pad.validation_split", "1", "pad.validation_split = 1: input should be less than 1"),
        ("num_seeds", "0", "num_seeds = 0: input should be greater than or equal to 1"),
        ("num_seeds", "1001", "num_seeds = 1001: input should be less than or equal to 1000"),
        ("train.seed", "-1", "train.seed = -1: input should be greater than or equal to 0"),
        (
            "fetch.seed",
            "4294967296",
            "fetch.seed = 4294967296: input should be less than 4294967296",
        ),
        (
            "train.optimizer",
            "sgdx",
            "train.optimizer = 'sgdx': input should be 'rmsprop', 'adam' or",
        ),
        ("fetch.source", "7", "fetch.source = 7: input should be a valid string"),
        ("fetch.test_size", "1.0", "fetch.test_size = 1.0: input should be less than 1"),
        ("fetch.text_column", "0", "fetch.text_column = 0: should be a name, or a number from 1"),
        ("fetch.text_column", "true", "fetch.text_column = True: should be a name, or a number"),
        ("fetch.label_column", "2", "fetch.label_column = 2: should be a name if text_column is"),
        ("fetch.encoding", "klingon", "fetch.encoding = 'klingon': should be an encoding, such as"),
        ("fetch.quotes", "single", "fetch.quotes = 'single': input should be 'doubled', 'escaped'"),
        ("pad.padding", "", "pad.padding = None: input should be 'pre' or 'post'"),
        ("pad.skip_top", "10000", "pad.skip_top = 10000: should be less than num_words"),
        ("baseline.words.C", "[]", "baseline.words.C = []: tuple should have at least 1 item"),
        (
            "baseline.words.C",
            "[0.1, -1]",
            "baseline.words.C.1 = -1: input should be greater than 0",
        ),
        ("baseline.words.C", "[.inf]", "baseline.words.C.0 = inf: input should be a finite number"),
        (
            "baseline.words.C",
            "['0.1']",
            "baseline.words.C.0 = '0.1': input should be a valid number",
        ),
        ("baseline.words.C", "0.1", "baseline.words.C = 0.1: input should be a valid tuple"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_is_allowed(refusal, key, value, told):
    assert told in refusal(having(key, value))


def test_an_svm_needs_its_own_solver(refusal):
    text = having("baseline.solver", "sag").replace("classifier: logistic", "classifier: svm")
    assert "set baseline.solver to liblinear" in refusal(text)


def test_a_misspelt_key_is_told_and_the_missing_one_too(refusal):
    message = refusal(PROJECT.replace("units:", "unitz:"))
    assert "train.unitz is not a parameter: check its spelling" in message
    assert "train.units is missing" in message


def test_the_last_seed_is_a_seed_too(refusal, read):
    most = having("train.seed", str(2**32 - 2))
    assert read(most.replace("seeds: 1 ", "seeds: 2 ")).train_seeds[-1] == 2**32 - 1
    message = refusal(most.replace("seeds: 1 ", "seeds: 3 "))
    assert "has a seed that leads to one above 4294967295" in message


def test_all_faults_are_told_at_once(refusal):
    message = refusal(having("num_seeds", "x").replace("epochs: 10", "epochs: 0"))
    assert "num_seeds = 'x'" in message
    assert "train.epochs = 0" in message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file = None"),
        ("- num_seeds: 1\n", "the file = [{'num_seeds': 1}]"),
        ("42", "the file = 42"),
        (PROJECT + "1: one\n", "1 = 1: keys should be strings"),
        (PROJECT + "num_seeds: 1\n", 'duplicate key "num_seeds"'),
        (PROJECT + "---\nseed: 1\n", "another document"),
        (PROJECT + "\0", "character #x0000"),
        (PROJECT.encode() + b"# \xe9\n", "invalid continuation byte"),
        (having("num_seeds", "9" * 5000), "Exceeds the limit"),
        (having("num_seeds", "!!bool maybe"), "'maybe'"),
        ("seed: {" * 3000, "recursion"),
        ("? {a: 1}\n: 1\n", "unhashable key"),
        ("\tseed: 1", "cannot start any token"),
        (b"#" * 10_000_000, "10,000,000 bytes; at most 1,000,000 are read"),
    ],
    ids=lambda value: repr(value)[-20:],
)
def test_what_is_no_parameter_file_is_refused(refusal, content, told):
    assert told in refusal(content)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.getcwd", "!unknown"])
def test_tags_run_nothing(refusal, tag):
    assert "could not determine a constructor" in refusal(having("num_seeds", f"{tag} []"))


def test_anchors_aliases_and_merge_keys_give_plain_values(read):
    text = PROJECT.replace("num_seeds: 1", "num_seeds: &seven 7").replace(
        "units: 28", "units: *seven"
    )
    text = text.replace("  batch_size: 128", "  <<: {batch_size: 9}")
    found = read(text)
    assert (found.num_seeds, found.train.units, found.train.batch_size) == (7, 7, 9)


def test_a_merge_key_brings_no_unknown_parameter_in(refusal):
    text = PROJECT.replace("train:\n", "train:\n  <<: {layers: 2}\n")
    assert "train.layers is not a parameter" in refusal(text)


def test_aliases_that_multiply_are_refused_before_they_are_followed(refusal):
    lists = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol]"]
    lists += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 15)]
    message = refusal("\n".join(lists) + f"\nnum_seeds: *a{14}\n")
    assert "num_seeds = [[[" in message
    assert len(message) < 5000


def test_an_alias_of_itself_is_refused(refusal):
    assert "num_seeds = [[" in refusal("num_seeds: &num_seeds [*num_seeds]\n")


def test_a_missing_file_says_where_to_stand(tmp_path):
    with pytest.raises(UserError, match="run this from the project's root"):
        params.read(tmp_path / "params.yaml")


def test_override_sets_values_by_dotted_key_and_keeps_comments(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PROJECT)
    params.override(path, {"train.units": 7, "num_seeds": 3})
    changed = params.read(path)
    assert (changed.train.units, changed.num_seeds) == (7, 3)
    assert "# the size of the hidden state" in path.read_text()
    params.override(path, {"train.units": 28, "num_seeds": 1})
    assert params.read(path) == params.read("params.yaml")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"train.unitz": 7}, "train.unitz is not a parameter"),
        ({"training.units": 7}, "training is not a parameter"),
        ({"train.units": 0}, "train.units = 0"),
        ({"num_seeds.units": 7}, "num_seeds.units is not a parameter"),
    ],
)
def test_override_refuses_what_read_refuses(tmp_path, values, told):
    path = tmp_path / "params.yaml"
    path.write_text(PROJECT)
    with pytest.raises(UserError, match=re.escape(told)):
        params.override(path, values)


@pytest.mark.parametrize("path", sorted(Path("recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_recipe_is_valid(tmp_path, path):
    (tmp_path / "params.yaml").write_text(PROJECT)
    params.override(tmp_path / "params.yaml", params.recipe(path.stem))


def test_an_unknown_recipe_is_told_which_there_are():
    with pytest.raises(UserError, match=r"no recipe 'cake'; there are: .*sample"):
        params.recipe("cake")


@pytest.mark.parametrize(
    "source",
    [
        "reviews/mine (1).csv",
        "reviews/мои.csv",
        "~/mine.csv",
        "https://example.org/export?format=csv&gid=0",
        "reviews/*.csv",
    ],
)
def test_dvc_takes_any_source_within_quotes(tmp_path, source):
    """As docs/your-own-reviews.md has it: `--set-param "fetch.source='...'"`."""
    from dvc.utils.hydra import apply_overrides

    path = shutil.copy("params.yaml", tmp_path)
    apply_overrides(Path(path), [f"fetch.source='{source}'"])
    assert params.read(path).fetch.source == source


@pytest.mark.parametrize("source", ["sample", "reviews/own.csv"])
def test_films_are_kept_apart_only_where_they_are_known(read, source):
    with_films = having("pad.validation", "films")
    assert read(with_films).pad.validation == "films"
    with pytest.raises(UserError, match=r"only imdb names: set pad\.validation to last"):
        read(with_films.replace("source: imdb", f"source: {source}"))
