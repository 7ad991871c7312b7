"""Counts of requests: under the template of their route, never under what a caller wrote."""

import pytest
from prometheus_client import CollectorRegistry

from facegroup.settings import Settings
from serve.api import build_api
from tests.local_pipeline import LocalPipeline
from tests.serve.driver import Api


@pytest.fixture(scope="module")
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture(scope="module")
def counted(settings: Settings, pipeline: LocalPipeline, registry: CollectorRegistry) -> Api:
    return Api(build_api(settings, pipeline, registry=registry))


def requests(registry: CollectorRegistry, **labels: str) -> float:
    return registry.get_sample_value("facegroup_http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/v1/galleries", "/v1/galleries", "200"),
        ("GET", "/v1/galleries/", "/v1/galleries", "200"),
        ("GET", "/v1/galleries/nowhere", "/v1/galleries/{gallery}", "404"),
        ("GET", "/v1/galleries/nowhere/people/nobody", "/v1/galleries/{gallery}/people/{person}", "404"),
        ("GET", "/healthz", "/healthz", "200"),
        ("GET", "/v1/no-such-route/x", "", "404"),
        ("POST", "/healthz", "/healthz", "405"),
        ("BREW", "/healthz", "/healthz", "405"),
    ],
)
def test_a_request_counts_under_its_route(
    counted: Api, registry: CollectorRegistry, method: str, path: str, route: str, status: str
) -> None:
    labels = {"route": route, "method": "other" if method == "BREW" else method, "status": status}
    before = requests(registry, **labels)
    counted(method, path)
    assert requests(registry, **labels) == before + 1


def test_times_and_bytes_of_photos_count(counted: Api, registry: CollectorRegistry) -> None:
    seconds = "facegroup_http_request_seconds_count"
    before = registry.get_sample_value(seconds, {"route": "/v1/detect"}) or 0.0
    answer = counted("POST", "/v1/detect", content=b"x" * 1000, headers={"content-type": "image/jpeg"})
    assert answer.status_code == 422
    assert registry.get_sample_value(seconds, {"route": "/v1/detect"}) == before + 1
    assert (registry.get_sample_value("facegroup_http_received_bytes_total") or 0) >= 1000
    assert (registry.get_sample_value("facegroup_http_sent_bytes_total") or 0) >= len(answer.content)
