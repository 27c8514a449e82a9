"""Note the versions of what computes the results: `python -m stages.environment`.

`requirements.lock` is the only dependency. After a change of it, the other stages run again only
if a package changed that computes them.
"""

from sentiment import console, environment, files
from sentiment.paths import VERSIONS


def main() -> None:
    for group, path in VERSIONS.items():
        files.save_json(path, environment.versions(group))


if __name__ == "__main__":
    console.run(main)
