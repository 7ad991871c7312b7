import re

import pytest

from facegroup.errors import UnknownNetwork
from facegroup.networks.registry import SPECS, installed, spec
from facegroup.settings import Settings


def test_the_networks_are_those_of_the_design() -> None:
    assert {name: (spec.dimension, spec.crop, spec.size) for name, spec in SPECS.items()} == {
        "vggface2-resnet50": (2048, "box", 224),
        "vggface2-senet50": (2048, "box", 224),
        "vggface-vgg16": (512, "box", 224),
        "retail-0095": (256, "five_point", 128),
        "dlib-resnet29": (128, "dlib_chip", 150),
        "sface": (128, "five_point", 112),
        "auraface-v1": (512, "five_point", 112),
    }


def test_the_default_network_is_known() -> None:
    assert Settings.model_fields["network"].default in SPECS


def test_vggface2_is_cut_out_as_its_authors_do() -> None:
    found = {name: (spec.margin, spec.framed) for name, spec in SPECS.items() if spec.margin or spec.framed}
    assert found == {"vggface2-resnet50": (0.3, True), "vggface2-senet50": (0.3, True)}


def test_vggface2_keeps_the_threshold_of_the_course_work() -> None:
    assert spec("vggface2-resnet50").threshold == 0.4
    assert "course work" in spec("vggface2-resnet50").threshold_source


@pytest.mark.parametrize("name", SPECS)
def test_every_network_says_where_its_numbers_come_from(name: str) -> None:
    network = spec(name)
    assert network.name == name
    assert 0 < network.threshold < 1
    assert network.threshold_source
    assert network.licence
    assert network.engines
    for file in network.weights:
        assert file.url.endswith("/" + file.name)
        assert file.url.startswith("https://")
        assert re.fullmatch("([0-9a-f]{64})?", file.sha256)


def test_an_unknown_network_is_answered_with_the_choices() -> None:
    with pytest.raises(UnknownNetwork, match=r"facenet.*vggface2-resnet50, vggface2-senet50, .*retail-0095"):
        spec("facenet")


def test_a_network_without_an_extra_is_installed() -> None:
    assert installed(spec("retail-0095"))
