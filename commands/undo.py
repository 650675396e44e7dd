"""Takes back what the last `tagrec suggest --write` wrote, byte for byte; files that changed since stay."""

import typer

from pipeline.keywords.journal import Journal
from pipeline.words import counted
from project.command import command
from project.paths import KEYWORDS
from project.terminal import say


def main() -> str:
    undone = Journal(KEYWORDS).undo()
    for path in undone.changed:
        say(f"{path} has changed since, and stays as it is.")
    for path in undone.missing:
        say(f"{path} is missing.")
    if undone.kept:
        say(f"Run `tagrec undo` again once the missing files are back, or delete {undone.kept} to give them up.")
    missing = f", {len(undone.missing):,} missing" if undone.missing else ""
    earlier = counted(undone.runs, "earlier runs")
    line = f"undo: {counted(undone.restored, 'files')} restored{missing}; {earlier} can be taken back"
    if undone.changed or undone.missing:
        print(line)
        raise typer.Exit(1)
    return line


app = command(main, stage=False)
