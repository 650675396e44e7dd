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
    earlier = counted(undone.runs, "earlier runs")
    line = f"undo: {counted(undone.restored, 'files')} restored; {earlier} can be taken back"
    if undone.changed:
        print(line)
        raise typer.Exit(1)
    return line


app = command(main, stage=False)
