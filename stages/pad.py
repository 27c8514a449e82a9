"""Encode the reviews as rows of token ids, and choose those for validation.

`python -m stages.pad`; with RAY_ADDRESS set, the nodes of that cluster encode, to the same files.
"""

from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from tqdm import tqdm

from sentiment import console, files, params, paths
from sentiment.data import facts, splits, streams
from sentiment.distributed import cluster
from sentiment.text import Encoder, read_word_index


def main() -> None:
    settings = params.read()
    options = settings.pad.model_dump(exclude={"validation", "validation_split", "seed"})
    word_index = read_word_index(paths.WORD_INDEX)
    encoder = Encoder(word_index, **options, tokenizer=settings.fetch.tokenizer)
    sizes = facts.count_splits(paths.REVIEWS)
    encode = partial(facts.encode_group, Path(paths.REVIEWS).resolve(), encoder)
    groups = [(number,) for number in range(pq.read_metadata(paths.REVIEWS).num_row_groups)]

    known = []
    with ExitStack() as stack, tqdm(total=sum(sizes.values()), unit=" reviews") as progress:

        def output(name: str, dtype: str, *shape: int) -> files.RowWriter:
            path = f"{paths.PADDED}/{name}.npy"
            return stack.enter_context(files.npy_rows(path, dtype, shape))

        x = {s: output(f"x_{s}", "int32", size, settings.pad.maxlen) for s, size in sizes.items()}
        y = {s: output(f"y_{s}", "int8", sizes[s]) for s in ("train", "test")}
        for reviews, rows in cluster.map_jobs(encode, groups):
            for split, part in reviews.groupby("split"):
                x[split].write(rows[part.index])
                if split in y:
                    y[split].write(part["label"].to_numpy())
            known.append(reviews)
            progress.update(len(reviews))
    table = facts.mark_copies(pd.concat(known, ignore_index=True))
    table["split"] = splits.assign_validation(table, settings.pad)

    with files.atomic(paths.FACTS) as path:
        table.to_parquet(path, index=False, row_group_size=streams.ROW_GROUP)
    with files.atomic(paths.ENCODER) as path:
        encoder.save(path)
    for split, size in sizes.items():
        if size:
            print(f"x_{split}: {size:,} reviews x {settings.pad.maxlen} steps")
            warn_of_unknown_words(encoder, split)
    if "film" in table:
        for split, fitted_on in (("validation", ["train"]), ("test", ["train", "validation"])):
            share = splits.share_of_known_films(table, split, *fitted_on)
            print(f"{share:.1%} of the {split} reviews are of a film that is trained on too")


def warn_of_unknown_words(encoder: Encoder, split: str) -> None:
    """Print a note if the vocabulary has less than half of the words of a split's first reviews."""
    known = encoder.share_known(islice(splits.texts(split), streams.ROW_GROUP))
    if known < 0.5:
        print(
            f"note: the network knows only {known:.0%} of the words in the {split} reviews. More "
            "reviews would help, or a larger pad.num_words."
        )


if __name__ == "__main__":
    console.run(main)
