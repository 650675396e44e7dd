"""Errors of the library, as a user reads them."""

import errno
import os

import pytest

from pipeline.errors import (
    ArtifactError,
    CredentialError,
    DamagedError,
    InputError,
    Option,
    ResourceError,
    SettingError,
)
from pipeline.files.atomic import atomic
from project.explain import explain, section


def test_a_setting_is_named_by_its_whole_key():
    with pytest.raises(SettingError) as caught, section("extractors.image"):
        raise SettingError("weights.sha256", "is 'abc'; the file's hash is 'def'.")
    assert explain(caught.value) == "extractors.image.weights.sha256 is 'abc'; the file's hash is 'def'."


def test_sections_nest_and_let_other_errors_pass():
    with (
        pytest.raises(SettingError, match=r"^models\.fm\.training\.l2 is -1\.$"),
        section("models.fm"),
        section("training"),
    ):
        raise SettingError("l2", "is -1.")
    with pytest.raises(InputError, match=r"^no photo$"), section("models.fm"):
        raise InputError("no photo")


@pytest.mark.parametrize("message", ["posts.parquet does not exist", "posts.parquet does not exist."])
def test_an_artifact_is_made_again_by_dvc(message):
    assert explain(ArtifactError(message)).startswith("posts.parquet does not exist. Run `dvc repro`")


def test_what_dvc_may_take_for_whole_is_deleted_first():
    assert explain(DamagedError("fm.safetensors is damaged.")).startswith("fm.safetensors is damaged. Delete it")


@pytest.mark.parametrize("option", Option.__args__)
def test_a_lacking_resource_names_the_flag(option):
    sentence = explain(ResourceError("The machine lacks it.", option))
    assert sentence.startswith("The machine lacks it. ")
    assert f"--{option}" in sentence


def test_a_secret_names_its_variable():
    sentence = explain(CredentialError("The service needs a key.", "SERVICE_KEY"))
    assert sentence == "The service needs a key. Set SERVICE_KEY in the environment."


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some space and run again"),
        (errno.EACCES, "Change the permissions and run again"),
        (errno.EIO, "Fix that and run again"),
    ],
)
def test_a_refusal_of_the_system_has_a_fitting_remedy(number, remedy):
    sentence = explain(OSError(number, os.strerror(number), "models/fm.safetensors"))
    assert sentence.startswith(f"models/fm.safetensors: {os.strerror(number)}. {remedy}")


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "detail"), OSError("No space left on device (os error 28)")],
    ids=["numbered", "in words, as polars raises it"],
)
def test_a_full_disk_names_the_file_that_was_being_written(tmp_path, error):
    path = tmp_path / "folder" / "curve.csv"
    with pytest.raises(OSError, match="No space left") as caught, atomic(path):
        raise error
    assert explain(caught.value).startswith(f"{path}: No space left on device. Free some space")
