"""One typer command a stage: validated parameters in, read, call `pipeline/`, write, one line of what it made."""
