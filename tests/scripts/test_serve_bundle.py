"""The service in an environment of its own, made from a bundle's list of packages, and the image that does the same."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.recommend.recommender import Recommender
from tests.support.bundles import world, write_bundle

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "serve_bundle.sh"
LARGEST = 500e6
"""Bytes that the environment may have."""
SLOWEST = 2.0
"""Seconds that a processor may take from the start of the service to its end."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("exported"), world(), runtime="onnx")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Mapping[str, str]:
    """The environment variables of the script."""
    own = {"PYTHON": sys.executable, "ENVIRONMENT": str(tmp_path_factory.mktemp("environment"))}
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | own


def serve(bundle: Path, settings: Mapping[str, str], journal: Path) -> float:
    """Starts the service, asks for its health and ends it. Returns the seconds that a processor took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(SCRIPT), str(bundle), "--port", "0", "--workers", "1", "--journal", str(journal)]
    # Out of the checkout: nothing but the bundle leads to the model.
    with subprocess.Popen(command, cwd=journal.parent, env=settings, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = re.match(r"Open (http://[^/]+/)", process.stdout.readline())[1]
            with urllib.request.urlopen(f"{url}healthz", timeout=30) as answer:
                assert answer.status == 200
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("line", ["evil @ file:///tmp/evil", "--index-url http://evil.invalid", "./evil", "numpy"])
def test_a_list_of_packages_with_more_than_pins_is_refused(tmp_path, line):
    (tmp_path / "requirements.txt").write_text(f"numpy==2.0.0\n{line}\n")
    own = {"PATH": os.environ["PATH"], "ENVIRONMENT": str(tmp_path / "environment")}
    done = subprocess.run([SCRIPT, tmp_path], env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, f"{line}\n")
    assert done.stderr.startswith("Error: ")
    assert not (tmp_path / "environment").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_bundle_without_torch_serves_and_suggests_the_same_in_an_environment_of_its_own(bundle, settings, tmp_path):
    serve(bundle, settings, tmp_path / "first.sqlite")  # Makes the environment, and the bytecode.
    seconds = min(serve(bundle, settings, tmp_path / f"{number}.sqlite") for number in range(3))
    environment = Path(settings["ENVIRONMENT"])
    size = sum(file.lstat().st_size for file in environment.rglob("*"))
    python = environment / "bin" / "python"
    refused = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True, check=False)
    assert "No module named 'torch'" in refused.stderr

    photo = tmp_path / "photo.jpg"
    photo.write_bytes(world().files[0].data)
    command = [python, ROOT / "tagrec.py", "suggest", photo, "--user", "ann", "--bundle", bundle, "--format", "jsonl"]
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[0])
    with Recommender.load(bundle) as recommender:
        (expected,) = recommender.suggest(world().files[:1], "ann")
    assert [each["tag"] for each in found["suggestions"]] == [each.tag for each in expected]
    assert size <= LARGEST, f"{size / 1e6:.0f} MB"
    assert seconds <= SLOWEST, f"{seconds:.2f} s"


def test_the_script_asks_for_the_bundle():
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the bundle is missing" in done.stderr


def test_the_builder_gets_all_that_the_image_copies():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY") and "$" not in line}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert copied == kept - {"artifacts/*/*/bundle/requirements.txt"}
    assert all((ROOT / name).exists() for name in copied)
