"""The engine ray on several machines, of which one dies: nothing is lost, and the caller's environment stays."""

import os
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from torch import Tensor

from pipeline.features.extraction.ray import PHOTOS_PER_CHUNK, RayEngine
from pipeline.features.extraction.run import extract, features
from tests.support.mean_colour import MeanColour

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")


class Slow(MeanColour):
    """So slow that a machine can die over it, and broken where a secret of the caller is known."""

    def forward(self, pixels: Tensor) -> Tensor:
        time.sleep(0.1)
        return super().forward(pixels) / ("FLICKR_API_KEY" not in os.environ)


@pytest.fixture
def machines() -> Iterator["object"]:
    """Three machines, as far as Ray can tell, and a head that does no work."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found_dead = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": found_dead})
        try:
            for _ in range(3):
                cluster.add_node(num_cpus=1)
            yield cluster
        finally:
            cluster.shutdown()


@pytest.mark.slow
def test_a_machine_that_is_killed_costs_nothing_but_time(machines, packed, extracted, tmp_path: Path, monkeypatch):
    import ray

    monkeypatch.setenv("FLICKR_API_KEY", "secret")
    some, dead = packed(30 * PHOTOS_PER_CHUNK["cpu"]), []
    engine = RayEngine(machines.address)

    def killing(extractors, tasks):
        for number, computed in enumerate(engine(extractors, tasks)):
            if number == 3:
                victim = machines.worker_nodes.pop()
                victim.kill_all_processes(check_alive=False, allow_graceful=False)  # SIGKILL.
                dead.append(victim.node_id)
            yield computed
            if number == 25:
                dead.extend(node["NodeID"] for node in ray.nodes() if not node["Alive"])

    extractor = Slow()
    extract([extractor], some, tmp_path / "ray", killing)
    assert len(set(dead)) == 1
    assert len(dead) == 2
    monkeypatch.delenv("FLICKR_API_KEY")
    expected = extracted(MeanColour(), some, tmp_path / "local")
    assert features(extractor, some, tmp_path / "ray").equals(expected)
