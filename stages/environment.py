"""Record the versions of the packages that compute results: `python -m stages.environment`.

It depends on `requirements.lock` alone. After a change of that, another stage runs again only if a
package changed that computes its results.
"""

from sentiment import console, environment, files
from sentiment.paths import VERSIONS


def main() -> None:
    for group, path in VERSIONS.items():
        files.save_json(path, environment.versions(group))


if __name__ == "__main__":
    console.run(main)
