"""`tagrec bundle`: one user alone, in a new folder."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from commands.bundle import app
from pipeline.recommend.bundle import Bundle
from tests.support.bundles import world, write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundle"), world("user-popular", "none"))


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_a_user_is_taken_out_alone(bundle, tmp_path):
    done = run("--user", "zoë", "--output", tmp_path / "alone", "--bundle", bundle)
    assert done.exit_code == 0, done.output
    assert "small with 'zoë' alone of 4 users" in done.output
    alone = Bundle.read(tmp_path / "alone")
    assert list(alone.habits.users) == ["zoë"]
    assert alone.manifest.users == "some"
    assert json.loads((tmp_path / "alone/evaluation.json").read_text()) == dict(Bundle.read(bundle).evaluation)


def test_an_unknown_user_leaves_no_folder(bundle, tmp_path):
    done = run("--user", "eve", "--output", tmp_path / "alone", "--bundle", bundle)
    assert done.exit_code == 1
    assert "has no user 'eve'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_replaced(bundle, tmp_path):
    done = run("--user", "ann", "--output", tmp_path, "--bundle", bundle)
    assert done.exit_code == 1
    assert "exists already" in done.stderr


def test_a_bundle_holds_no_bundle(bundle):
    done = run("--user", "ann", "--output", bundle / "weights" / "x", "--bundle", bundle)
    assert done.exit_code == 1
    assert "is inside the bundle" in done.stderr


def test_without_a_bundle_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("--user", "ann", "--output", "alone", "--bundle", "nowhere")
    assert done.exit_code == 1
    assert "nowhere is not a bundle: there is no such folder." in done.stderr
    done = run("--user", "ann", "--output", "alone")
    assert done.exit_code == 1
    assert "There is no bundle: name its folder with --bundle" in done.stderr


def test_a_damaged_bundle_from_elsewhere_is_copied_again(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "habits.safetensors").write_bytes(b"\0" * 100)
    done = run("--user", "ann", "--output", tmp_path / "alone", "--bundle", copy)
    assert done.exit_code == 1
    assert "Copy the bundle again, or name another with --bundle." in " ".join(done.stderr.split())
    assert "dvc repro" not in done.stderr


def test_damaged_weights_are_not_copied(tmp_path):
    bundle = write_bundle(tmp_path / "bundle", world())
    weights = next((bundle / "weights").rglob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    done = run("--user", "ann", "--output", tmp_path / "alone", "--bundle", bundle)
    assert done.exit_code == 1
    assert f"{weights} is damaged, or was replaced: bundle.json has another SHA-256 of it." in done.stderr
    assert not (tmp_path / "alone").exists()
    weights.unlink()
    done = run("--user", "ann", "--output", tmp_path / "alone", "--bundle", bundle)
    assert f"{weights} does not exist." in done.stderr
