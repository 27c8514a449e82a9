"""MLflow: it watches, and no result depends on it.

tracker    the process beside a stage that logs its results
results    what of each stage is logged, and when
views      what a person reads of a run: its name, its description, its tables
runs       runs, found by the contents of the files that they are about
sweeps     the runs of a sweep
registry   models as versions that take raw text, and the champion among them
serving    such a model, as MLflow serves it
store      where all of this is kept
"""
