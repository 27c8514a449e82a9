"""params.yaml as one frozen, validated model, with a section for each stage."""

import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sentiment.errors import UserError

Model = TypeVar("Model", bound=BaseModel)
MAX_BYTES = 1_000_000  # of a file; no params.yaml is that large


class Section(BaseModel):
    """The base of all sections: strict and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _name_or_number(column: object) -> object:
    if not ((isinstance(column, str) and column) or (type(column) is int and column > 0)):
        raise PydanticCustomError("column", "should be a name, or a number from 1")
    return column


Column = Annotated[str | int, BeforeValidator(_name_or_number)]  # a number: there is no header


class Fetch(Section):
    """Where the reviews come from."""

    seed: Seed
    source: str = Field(min_length=1)
    text_column: Column
    label_column: Column
    positive_label: bool | int | float | str | None
    split_column: Column | None
    test_size: float = Field(gt=0, lt=1)
    encoding: str | None
    quotes: Literal["doubled", "escaped", "plain"] | None
    unlabelled: bool

    @field_validator("label_column", "split_column")
    @classmethod
    def _like_the_first(cls, column: Column | None, others: ValidationInfo) -> Column | None:
        first = others.data.get("text_column")
        if None not in (column, first) and type(column) is not type(first):
            raise PydanticCustomError(
                "columns", "should be a name if text_column is one, or else a number"
            )
        return column

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        try:
            "".encode("utf-8" if encoding is None else encoding)
        except (LookupError, ValueError):
            raise PydanticCustomError("encoding", "should be an encoding, such as cp1252") from None
        return encoding

    @field_validator("unlabelled")
    @classmethod
    def _imdb_has_them(cls, unlabelled: bool, others: ValidationInfo) -> bool:
        if unlabelled and others.data.get("source", "imdb") != "imdb":
            raise PydanticCustomError(
                "no_unlabelled", "should be false: only imdb has such reviews"
            )
        return unlabelled

    @property
    def columns(self) -> dict[str, Column]:
        """The columns that are read, by the parameter that names each."""
        names = ("text_column", "label_column", "split_column")
        return {name: column for name in names if (column := getattr(self, name)) is not None}

    @property
    def has_header(self) -> bool:
        """Whether the columns are given by name."""
        return isinstance(self.text_column, str)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns; empty if they are given by number."""
        return [column for column in self.columns.values() if isinstance(column, str)]

    @property
    def column_numbers(self) -> list[int]:
        """The numbers of the columns, from 1; empty if they are given by name."""
        return [column for column in self.columns.values() if isinstance(column, int)]

    @property
    def tokenizer(self) -> Literal["keras", "unicode"]:
        """How texts are split into words: the built-in reviews' as Keras splits IMDB's."""
        return "keras" if self.source in ("imdb", "sample") else "unicode"


class Pad(Section):
    """How texts become rows of token ids."""

    num_words: int = Field(ge=4, le=2**31 - 1)
    skip_top: int = Field(ge=0)
    maxlen: int = Field(ge=1, le=100_000)
    padding: Literal["pre", "post"]
    truncating: Literal["pre", "post"]
    validation: Literal["last", "films"]
    validation_split: float = Field(gt=0, lt=1)
    seed: Seed

    @field_validator("skip_top")
    @classmethod
    def _words_remain(cls, skip_top: int, others: ValidationInfo) -> int:
        if skip_top >= others.data.get("num_words", math.inf):
            raise PydanticCustomError("no_words", "should be less than num_words")
        return skip_top


Candidates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)]


class Words(Section):
    """The plain bag of words, over the network's vocabulary."""

    C: Candidates


class Ngrams(Section):
    """The bag of n-grams: those of all words, weighted."""

    ngram_range: Annotated[tuple[int, int], Field(strict=False)]
    min_df: int = Field(ge=1)
    binary: bool
    punctuation: bool
    naive_bayes: bool
    tfidf: bool
    classifier: Literal["logistic", "svm"]
    C: Candidates
    vectors: int = Field(ge=0, le=4096, multiple_of=2)
    vector_passes: int = Field(ge=1, le=10_000)

    @field_validator("ngram_range")
    @classmethod
    def _shorter_first(cls, lengths: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= lengths[0] <= lengths[1] <= 5:
            raise PydanticCustomError("lengths", "should be 1 to 5 and the shorter length first")
        return lengths


class Baseline(Section):
    """The bags of words."""

    seed: Seed
    solver: Literal["liblinear", "sag"]
    words: Words
    ngrams: Ngrams

    @field_validator("ngrams")
    @classmethod
    def _solvable(cls, ngrams: Ngrams, others: ValidationInfo) -> Ngrams:
        if ngrams.classifier == "svm" and others.data.get("solver") == "sag":
            raise PydanticCustomError("solver", "has an svm: set baseline.solver to liblinear")
        return ngrams

    @property
    def reads_unlabelled(self) -> bool:
        """Whether a bag learns from unlabelled reviews too."""
        return self.ngrams.vectors > 0


class Network(Section):
    """The recurrent network's shape, beyond the sizes that the course names."""

    cell: Literal["simple_rnn", "gru", "lstm"]
    recurrent_initializer: Literal["orthogonal", "identity"]
    kernel_stddev: float | None = Field(gt=0)
    bidirectional: bool
    layers: int = Field(ge=1, le=100)
    mask_padding: bool
    pooling: Literal["last", "mean_max"]
    word_dropout: float = Field(ge=0, lt=1)
    embedding_dropout: float = Field(ge=0, lt=1)
    dropout: float = Field(ge=0, lt=1)


class EmbeddingInit(Section):
    """The network's word vectors before training."""

    source: Literal["random", "labelled", "all"]
    log_count_ratio: float = Field(ge=0)
    scale: float = Field(gt=0)


class Train(Section):
    """The recurrent network and its training."""

    seed: Seed
    embedding_dim: int = Field(ge=1, le=4096)
    units: int = Field(ge=1, le=4096)
    optimizer: Literal["rmsprop", "adam", "sgd"]
    learning_rate: float = Field(gt=0, le=10)
    schedule: Literal["constant", "cosine"]
    warmup: float = Field(ge=0, lt=1)
    clipnorm: float | None = Field(gt=0)
    epochs: int = Field(ge=1, le=10_000)
    patience: int | None = Field(ge=1)
    refit: bool
    batch_size: int = Field(ge=1, le=1_000_000)
    ensemble: int = Field(ge=1, le=100)
    engine: Literal["fused", "keras"]
    deterministic: bool
    network: Network
    embedding_init: EmbeddingInit
    distill: bool

    @property
    def reads_unlabelled(self) -> bool:
        """Whether a network learns from unlabelled reviews too."""
        return self.distill or self.embedding_init.source == "all"


class Evaluate(Section):
    """How the models are compared."""

    seed: Seed


class Params(Section):
    """The whole of params.yaml."""

    num_seeds: int = Field(ge=1, le=1000)
    fetch: Fetch
    pad: Pad
    baseline: Baseline
    train: Train
    evaluate: Evaluate

    @field_validator("pad")
    @classmethod
    def _films_are_known(cls, pad: Pad, others: ValidationInfo) -> Pad:
        fetch = others.data.get("fetch")
        if fetch and pad.validation == "films" and fetch.source != "imdb":
            raise PydanticCustomError(
                "no_films", "asks for films, which only imdb names: set pad.validation to last"
            )
        return pad

    @field_validator("baseline", "train")
    @classmethod
    def _unlabelled_are_fetched(
        cls, section: Baseline | Train, others: ValidationInfo
    ) -> Baseline | Train:
        fetch = others.data.get("fetch")
        if fetch and not fetch.unlabelled and section.reads_unlabelled:
            raise PydanticCustomError(
                "unlabelled", "asks for unlabelled reviews: set fetch.unlabelled to true"
            )
        return section

    @field_validator("baseline", "train")
    @classmethod
    def _seeds_remain(cls, section: Baseline | Train, others: ValidationInfo) -> Baseline | Train:
        if section.seed + others.data.get("num_seeds", 1) > 2**32:
            raise PydanticCustomError("no_seeds", "has a seed that leads to one above 4294967295")
        return section

    @property
    def tier(self) -> Literal["labelled", "all"]:
        """Which reviews the models learn from: only results of one tier can be compared."""
        sections = (self.baseline, self.train)
        return "all" if any(section.reads_unlabelled for section in sections) else "labelled"

    @property
    def baseline_seeds(self) -> range:
        """The seed of each bag: `baseline.seed` and those that follow it."""
        return range(self.baseline.seed, self.baseline.seed + self.num_seeds)

    @property
    def train_seeds(self) -> range:
        """The seed of each network: `train.seed` and those that follow it."""
        return range(self.train.seed, self.train.seed + self.num_seeds)


def read(path: Path | str = "params.yaml") -> Params:
    """Read and validate a parameter file.

    YAML is read as DVC reads it, so that both see the same values.

    Raises:
        UserError: naming the file, each key that is wrong, its value and what is allowed.
    """
    return validated(Params, load(path), path)


def changed(settings: Params, values: Mapping[str, object], source: Path | str) -> Params:
    """Return parameters with some of their values replaced.

    Args:
        settings: The parameters.
        values: The new values, by dotted key.
        source: The file that the values are from, for errors to name.

    Raises:
        UserError: as `read` does.
    """
    content = settings.model_dump()
    _set(content, values)
    return validated(Params, content, source)


def override(path: Path | str, values: Mapping[str, object]) -> None:
    """Set parameters in a file by dotted key, comments left as they are, and validate it.

    Raises:
        UserError: as `read` does; the file has the new values then. Or if a key leads through a
            value as if it were a section; the file is as it was then.
    """
    yaml = YAML()
    content = yaml.load(Path(path))
    _set(content, values)
    yaml.dump(content, Path(path))
    read(path)


def _set(content: dict, values: Mapping[str, object]) -> None:
    for key, value in values.items():
        *sections, name = key.split(".")
        section = content
        for part in sections:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise UserError(f"{key} is not a parameter: {part} is no section")
        section[name] = value


def recipe(name: str) -> dict[str, object]:
    """Return a recipe, parameters by dotted key, from the folder `recipes`.

    Raises:
        UserError: if there is no recipe of that name.
    """
    path = Path("recipes", f"{name}.yaml")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise UserError(f"there is no recipe {name!r}; there are: {known}")
    return load(path)


def load(path: Path | str) -> Any:
    """Return the content of a YAML file, read as DVC reads it.

    Raises:
        UserError: if it is missing, too large, or not YAML.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run this from the project's root") from None
    if len(text) > MAX_BYTES:
        raise UserError(f"{path} has {len(text):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None


def validated(model: type[Model], values: object, source: Path | str) -> Model:
    """Return the content of a file as a validated model.

    Args:
        model: The class of the model.
        values: The content.
        source: The file, for errors to name.

    Raises:
        UserError: naming the file, each key that is wrong, its value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{source}:\n" + "\n".join(map(_sentence, error.errors()))) from None


def _sentence(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"])) or "the file"
    if error["type"] == "missing":
        return f"  {key} is missing"
    if error["type"] == "extra_forbidden":
        return f"  {key} is not a parameter: check its spelling"
    value = reprlib.repr(error["input"])[:100]
    return f"  {key} = {value}: {error['msg'][0].lower()}{error['msg'][1:]}"
