"""The shape of the code of training: small functions of few arguments, none for one kind of model."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TRAINING = Path(__file__).parents[2] / "pipeline" / "training"
ARGUMENTS, LINES = 6, 40


def functions(file: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def is_kernel(function: ast.FunctionDef) -> bool:
    """A kernel of a GPU is given the address of each tensor by itself: records of tensors stop at its launch."""
    return "triton.jit" in map(ast.unparse, function.decorator_list)


def arguments(function: ast.FunctionDef) -> list[str]:
    """The names of its arguments, without a method's own object."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]


@pytest.mark.parametrize("file", sorted(TRAINING.rglob("*.py")), ids=lambda file: str(file.relative_to(TRAINING)))
def test_every_function_is_short_and_takes_few_arguments(file):
    for function in functions(file):
        assert is_kernel(function) or len(arguments(function)) <= ARGUMENTS, function.name
        assert is_kernel(function) or function.end_lineno - function.lineno + 1 <= LINES, function.name


@pytest.mark.parametrize("file", sorted(TRAINING.rglob("*.py")), ids=lambda file: str(file.relative_to(TRAINING)))
def test_training_does_not_ask_which_model_it_trains(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            assert "Config" not in ast.unparse(node)
