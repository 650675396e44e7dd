"""Darknet's .cfg files: what is read, and what is refused in a sentence."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.features.networks.darknet import cfg
from pipeline.features.networks.darknet.network import Darknet
from pipeline.features.networks.darknet.official import DETECTORS, cfg_path

NET = "[net]\nwidth=64\nheight=32\nchannels=3\n"
CONVOLUTION = "[convolutional]\nfilters=4\nactivation=linear\n"


def test_comments_blanks_and_what_only_training_uses_are_left_out():
    read = cfg.parse(
        """
        # A comment, and another one.
        ; Darknet knows both.
        [net]
        batch = 64
        width=96
        height = 64
        channels=3
        steps=40000, 60000

        [convolutional]
        batch_normalize=1
        filters = 8
        size=3
        pad=1
        activation=leaky

        [dropout]
        probability=.5

        [route]
        layers = -1, 0
        """,
        "some.cfg",
    )
    assert read == cfg.Architecture(
        "some.cfg",
        cfg.Net(width=96, height=64, channels=3),
        (
            cfg.Convolutional(filters=8, size=3, pad=True, batch_normalize=True, activation="leaky"),
            cfg.Dropout(),
            cfg.Route(layers=(-1, 0)),
        ),
    )


@pytest.mark.parametrize(("keys", "border"), [("size=3\npad=1", 1), ("size=5\npad=1\npadding=7", 2), ("padding=2", 2)])
def test_pad_lays_half_a_kernel_around_a_map_and_padding_a_number(keys: str, border: int):
    (layer,) = cfg.parse(f"{NET}{CONVOLUTION}{keys}", "some.cfg").layers
    assert layer.border == border


def test_a_region_reads_its_anchors():
    text = f"{NET}[region]\nanchors = 1.5,2, 3,4.25\nclasses=7\ncoords=4\nnum=2\nsoftmax=1\nthresh=.6\njitter=.3\n"
    (region,) = cfg.parse(text, "some.cfg").layers
    assert region == cfg.Region(anchors=(1.5, 2, 3, 4.25), classes=7, num=2, softmax="1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[yolo]\nmask=0,1,2",
            r"some.cfg, line 5: sections \[yolo\] are not supported; net, convolutional, .*region are",
        ),
        (
            f"{CONVOLUTION}dilation=2",
            r"line 5: the key dilation of \[convolutional\] may change the numbers.*; filters, ",
        ),
        (f"{CONVOLUTION}size=big", r"line 5: size of \[convolutional\] is big; input should be a valid integer"),
        (f"{CONVOLUTION}stride=0", r"stride of \[convolutional\] is 0; input should be greater than 0"),
        (f"{CONVOLUTION}filters=4", "line 8: filters is twice"),
        (
            "[convolutional]\nactivation=mish",
            r"activation of \[convolutional\] is mish; input should be 'leaky' or 'linear'",
        ),
        ("[convolutional]\nsize=3", r"line 5: \[convolutional\] lacks the key activation"),
        ("[maxpool]\nsize", "line 6: 'size' is neither a section nor a key with a value"),
        ("[softmax]\ngroups=2", r"groups of \[softmax\] is 2; input should be less than or equal to 1"),
        ("[region]\nanchors=1,2\nclasses=3\nsoftmax=0", r"softmax of \[region\] is 0; input should be '1'"),
        ("[region]\nanchors=1,2\nclasses=3\nsoftmax=1\ncoords=5", r"coords of \[region\] is 5"),
        (
            "[region]\nanchors=1,2,3\nclasses=3\nsoftmax=1",
            r"\[region\]: 1 anchors are 2 numbers; there are 3",
        ),
        ("[region]\nanchors=1,2\nclasses=3\nsoftmax=1\ntree=t.tree", "the key tree of .*may change the numbers"),
        (NET, r"must begin with its only \[net\]"),
    ],
)
def test_what_may_change_the_numbers_is_refused(text: str, message: str):
    with pytest.raises(InputError, match=message):
        cfg.parse(NET + text, "some.cfg")


@pytest.mark.parametrize("text", ["", "# Nothing.", CONVOLUTION])
def test_a_network_begins_with_what_goes_in(text: str):
    with pytest.raises(InputError, match=r"some.cfg is not a darknet .cfg: it must begin with its only \[net\]"):
        cfg.parse(text, "some.cfg")


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.cfg does not exist: put the network's \.cfg there"):
        cfg.read_cfg(tmp_path / "none.cfg")
    (tmp_path / "some.cfg").write_bytes(b"[net]\n\xff\xfe")
    with pytest.raises(InputError, match="it is not text"):
        cfg.read_cfg(tmp_path / "some.cfg")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no layers"),
        ("[reorg]\nstride=2", r"layer 0, \[reorg\]: 3 channels are not a multiple of the stride's square, 4"),
        ("[route]\nlayers=-1", r"layer 0, \[route\]: there is no layer -1 before it"),
        (f"{CONVOLUTION}[route]\nlayers=1", r"layer 1, \[route\]: there is no layer 1 before it"),
        (f"{CONVOLUTION}groups=2", r"layer 0, \[convolutional\]: 2 groups divide 3 channels and 4 filters unequally"),
        (
            f"{CONVOLUTION}[region]\nanchors=1,2\nclasses=3\nsoftmax=1",
            r"layer 1, \[region\]: 1 anchors of 3 classes take 8 channels, not 4",
        ),
    ],
)
def test_layers_that_do_not_fit_together_are_refused(text: str, message: str):
    with pytest.raises(InputError, match=f"some.cfg.*{message}"):
        Darknet(cfg.parse(NET + text, "some.cfg"))


def test_a_classifier_ends_its_maps_before_its_last_convolution():
    classifier = cfg.parse(f"{NET}{CONVOLUTION}[maxpool]\nsize=2\nstride=2\n{CONVOLUTION}[avgpool]\n", "some.cfg")
    assert classifier.up_to_last_map().layers == classifier.layers[:2]
    with pytest.raises(InputError, match="not a classifier"):
        cfg.parse(f"{NET}{CONVOLUTION}", "some.cfg").up_to_last_map()


def test_what_else_the_published_files_say_is_training():
    net = """batch=64 subdivisions=8 momentum=0.9 decay=0.0005 angle=0 saturation=1.5 exposure=1.5 hue=.1 aspect=.75
        learning_rate=0.001 burn_in=1000 max_batches=500200 policy=steps steps=400000,450000 scales=.1,.1 power=4
        min_crop=128 max_crop=448"""
    region = """bias_match=1 jitter=.3 rescore=1 object_scale=5 noobject_scale=1 class_scale=1 coord_scale=1 absolute=1
        thresh=.6 random=1"""
    bare = f"{NET}%s\n[region]\nanchors=1,2\nclasses=3\nsoftmax=1\n%s\n[cost]\n%s"
    full = bare % ("\n".join(net.split()), "\n".join(region.split()), "type=sse")
    assert cfg.parse(full, "some.cfg") == cfg.parse(bare % ("", "", ""), "some.cfg")


@pytest.mark.parametrize("name", [*DETECTORS, "darknet19"])
def test_the_published_networks_are_read(name: str):
    assert cfg.read_cfg(cfg_path(name)).net.channels == 3
