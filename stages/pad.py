"""Encode the reviews as token ids and pad them to one length: `python -m stages.pad`.

With RAY_ADDRESS set, the nodes of that cluster encode; the same files come out.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from sentiment import cluster, console, dataset, encoding, files, params

REVIEWS = "data/raw/reviews.parquet"
LABELLED, UNLABELLED = ("train", "test"), "unlabelled"


def main() -> None:
    settings = params.read().pad
    word_index = encoding.read_word_index("data/raw/word_index.json")
    encoder = encoding.Encoder(word_index, **settings.model_dump())
    counts = pq.read_table(REVIEWS, columns=["split"]).column("split").value_counts().to_pylist()
    sizes = dict.fromkeys((*LABELLED, UNLABELLED), 0) | {
        count["values"]: count["counts"] for count in counts
    }

    with ExitStack() as stack, tqdm(total=sum(sizes.values()), unit=" reviews") as progress:

        def output(name: str, dtype: str, *shape: int) -> files.RowWriter:
            return stack.enter_context(files.npy_rows(f"data/padded/{name}.npy", dtype, shape))

        x = {s: output(f"x_{s}", "int32", n, settings.maxlen) for s, n in sizes.items()}
        y = {s: output(f"y_{s}", "int8", sizes[s]) for s in LABELLED}
        work = partial(padded, Path(REVIEWS).resolve(), encoder)
        groups = [(number,) for number in range(pq.read_metadata(REVIEWS).num_row_groups)]
        for split, rows, labels in cluster.each(work, groups):
            x[split].write(rows)
            if split in LABELLED:
                y[split].write(labels)
            progress.update(len(rows))

    with files.atomic("data/padded/encoder.json") as path:
        encoder.save(path)
    sizes = {split: size for split, size in sizes.items() if size}
    for split, size in sizes.items():
        print(f"{size} {split} sequences")
    print("Pad sequences (samples x time)")
    for split, size in sizes.items():
        print(f"x_{split} shape: {(size, settings.maxlen)}")


def padded(
    path: Path, encoder: encoding.Encoder, group: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the splits in a row group of reviews: name, rows of token ids, labels."""
    reviews = dataset.row_group(path, group, ["split", "label", "text"])
    for split, rows in reviews.groupby("split"):
        yield split, encoder.rows(rows.text), rows.label.to_numpy(np.int8)


if __name__ == "__main__":
    console.run(main)
