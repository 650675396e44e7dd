"""Writes docs/licences.md's table of packages: those of requirements/run.txt, by what is installed here.

    python -m scripts.list_licences

The text above the table, with the licences of weights and data, is written by hand and stays.
"""

import argparse
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

PAGE = Path("docs/licences.md")
REQUIREMENTS = Path("requirements/run.txt")
TABLE = "| package | version | licence |\n|---|---|---|\n"
"""The head of the table, which begins what is written here."""
SHORT = 60
"""Characters of a licence's name, at most: some packages give its whole text."""
FAMILIES = (("Apache", "Apache-2.0"), ("MIT", "MIT"), ("BSD", "BSD"), ("NVIDIA", "NVIDIA proprietary"))
"""Words by which a licence is recognised that is given as its text, and its name."""


def main() -> None:
    """Replaces the table of packages."""
    text, found, _ = PAGE.read_text(encoding="utf-8").partition(TABLE)
    if not found:
        raise SystemExit(f"Error: {PAGE} has no table of packages to replace.")
    rows = [f"| {name} | {version} | {licence(name)} |\n" for name, version in pinned(REQUIREMENTS)]
    PAGE.write_text(text + TABLE + "".join(rows), encoding="utf-8")


def pinned(file: Path) -> list[tuple[str, str]]:
    """Lists the names and versions that a file of requirements pins."""
    return re.findall(r"^([\w.-]+)==([^\s;\\]+)", file.read_text(encoding="utf-8"), re.MULTILINE)


def licence(package: str) -> str:
    """Names the licence of an installed package; where it is not installed, says so: it is for other platforms."""
    try:
        notes = metadata(package)
    except PackageNotFoundError:
        return "on other platforms only"
    stated = notes.get("License-Expression") or notes.get("License") or ""
    classified = [
        note.rpartition(" :: ")[2]
        for note in notes.get_all("Classifier", ())
        if note.startswith("License ::") and not note.endswith("OSI Approved")
    ]
    if stated and "\n" not in stated and len(stated) <= SHORT:
        return stated
    if classified:
        return ", ".join(classified)
    return next((name for word, name in FAMILIES if word in stated), "see the package")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    main()
