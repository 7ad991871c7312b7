"""Every setting, in one frozen tree: environment variables, the YAML file, flags and the app builder's arguments alike.

Order, first wins: arguments (flags, YAML of `serve deploy`), `FACEGROUP_…` variables, the YAML file that
`FACEGROUP_CONFIG` names, the defaults here. Nested settings are spelled with two underscores:
`FACEGROUP_EMBEDDER__BATCH=64`. An unknown name is an error, never ignored.
"""

import os
import re
import ssl
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)
from yaml import YAMLError, safe_load

from facegroup.errors import InvalidSettings
from facegroup.remote.addresses import ESCAPED, parted

PREFIX = "FACEGROUP_"
CONFIG = f"{PREFIX}CONFIG"
INSTANCE = f"{PREFIX}INSTANCE"

_TOPIC = r"^[^+#\x00]*$"

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PORTS = {"http": 80, "https": 443}

Engine = Literal["auto", "openvino", "keras", "dlib", "simulated"]


def _several(given: object) -> object:
    """Return the values of a variable: a JSON list, or words with commas between them."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        return safe_load(given)
    return [word for word in re.split(r"[,\s]+", given) if word]


def _host(given: str) -> str:
    name = given.lower().removesuffix(".")
    if not name.isascii():
        name = name.encode("idna").decode()
    if not _NAME.fullmatch(name):
        raise ValueError("should be host names such as faces.example.org or *.example.org, without scheme and port")
    return name


def _origin(given: str) -> str:
    parts = urlsplit(given.lower())
    port = parts.port
    where = f"{parts.scheme}://{parts.netloc}"
    plain = parts.scheme in _PORTS and parts.hostname and "@" not in where and "*" not in where
    if not plain or given.lower().removesuffix("/") != where:
        raise ValueError("should be origins such as https://app.example.org; there is none for all")
    return where.removesuffix(f":{port}") if port == _PORTS[parts.scheme] else where


Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_several)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_several)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(_Part):
    """What one request may cost. Beyond each of them it is refused by name."""

    body_bytes: int = Field(64 << 20, gt=0, description="bytes of one request's body")
    json_bytes: int = Field(
        16 << 20, gt=0, description="bytes of a JSON body; one of 64 MB would take 2 GB and the ingress for 4 s to read"
    )
    image_bytes: int = Field(60_000_000, gt=0, description="bytes of one image")
    image_pixels: int = Field(
        100_000_000, gt=0, description="pixels of one image as it is decoded; of a JPEG that is at a reduced scale"
    )
    jpeg_pixels: int = Field(
        220_000_000, gt=0, description="pixels of one baseline JPEG, of which only some rows are in memory at once"
    )
    progressive_pixels: int = Field(
        64_000_000,
        gt=0,
        description="pixels of one progressive JPEG, whose coefficients are all in memory: 3 to 8 bytes a pixel",
    )
    side_pixels: int = Field(
        2048, ge=64, description="longer images are scaled down to this many pixels before detection"
    )
    images: int = Field(100, gt=0, description="images in one request")
    faces: int = Field(256, gt=0, description="faces answered per image, the most confident first")
    request_seconds: float = Field(60.0, gt=0, description="after this long a request is given up")
    video_bytes: int = Field(1 << 30, gt=0, description="bytes of one video")


class Detector(_Part):
    """The processes that decode photos, find faces in them and cut them out."""

    engine: Engine = Field("auto", description="what runs MTCNN: openvino on a CPU, keras on a GPU; auto: by num_gpus")
    precision: Literal["fp32", "bf16", "int8"] = Field(
        "fp32",
        description="arithmetic of MTCNN; bf16 and int8 (P-Net stays in fp32) on openvino, refused where the CPU cannot",
    )
    min_face_size: int = Field(20, ge=12, description="smallest face looked for, in pixels")
    min_confidence: float = Field(0.8, ge=0, lt=1, description="a face below this is not answered")
    replicas: int = Field(1, ge=1)
    num_cpus: float = Field(1, ge=0)
    num_gpus: float = Field(0, ge=0)
    threads: int = Field(
        0, ge=0, description="compute threads of a replica; 0: its num_cpus; with facegroup serve all cores"
    )
    batch_pixels: int = Field(4_000_000, gt=0, description="most pixels detected at once (one image always fits)")
    batch: int = Field(16, gt=0, description="most images in one detection batch")
    simulated_ms: float = Field(5, ge=0, description="what a batch takes on the engine simulated (docs/scaling.md)")
    queue: int = Field(256, gt=0, description="images waiting in a replica; beyond: 429")
    queue_bytes: int = Field(512 << 20, gt=0, description="bytes of images waiting in a replica; beyond: 429")


class Embedder(_Part):
    """The processes that turn face crops into descriptors."""

    engine: Engine = Field("auto", description="what runs the network; auto: openvino on a CPU, keras on a GPU")
    precision: Literal["fp32", "bf16", "fp16", "int8"] = Field(
        "fp32",
        description="arithmetic of the network: bf16 and int8 on openvino, bf16 and fp16 on keras; refused where the "
        "processor cannot",
    )
    calibration: Path | None = Field(
        None, description="folder of photos with faces, like those to come, that a network is made int8 with, once"
    )
    replicas: int = Field(1, ge=1)
    num_cpus: float = Field(1, ge=0)
    num_gpus: float = Field(0, ge=0)
    threads: int = Field(
        0, ge=0, description="compute threads of a replica; 0: its num_cpus; with facegroup serve all cores"
    )
    batch: int = Field(32, gt=0, description="most faces in one embedding batch")
    simulated_ms: float = Field(5, ge=0, description="what a batch takes on the engine simulated (docs/scaling.md)")
    queue: int = Field(4096, gt=0, description="faces waiting in a replica; beyond: 429")
    queue_bytes: int = Field(1 << 30, gt=0, description="bytes of faces waiting in a replica; beyond: 429")


class Matcher(_Part):
    """The gallery actor: it keeps the centroids in the store and decides who a face is."""

    replicas: int = Field(1, ge=1)
    num_cpus: float = Field(0.5, ge=0)
    candidates: int = Field(3, ge=1, le=100, description="best people in each answer, unless the request says")
    threads: int = Field(0, ge=0, description="compute threads of a replica; 0: its num_cpus, at least one")
    index: Literal["auto", "exact", "compact"] = Field(
        "auto",
        description="how people are compared: exact, all in full; compact, all by code and the best in full, for "
        "galleries of hundreds of thousands; auto: by exact_mb (docs/decisions/0006-index.md)",
    )
    exact_mb: int = Field(850, ge=0, description="auto: MB of centroids up to which a gallery is exact; 103,000 × 2048")
    sweep_seconds: float = Field(60, gt=0, description="how often people whose time is over are erased from the store")


class Ingress(_Part):
    """The processes that speak HTTP."""

    replicas: int = Field(1, ge=1)
    num_cpus: float = Field(0.5, ge=0)
    batch: int = Field(64, gt=0, description="most images in one call to a detector")
    batch_bytes: int = Field(
        16 << 20, gt=0, description="most bytes of images in one call to a detector (one image always fits)"
    )
    inflight: int = Field(4, gt=0, description="calls to detectors under way at once, per ingress")
    queue: int = Field(512, gt=0, description="images waiting in an ingress; beyond: 429")
    queue_bytes: int = Field(
        512 << 20,
        gt=0,
        description="bytes of request bodies that an ingress holds at a time, a quarter of it for small ones; beyond: 429, "
        "before they are read",
    )


class Cameras(_Part):
    """The process that looks after all cameras, each of which is a process of its own, and tells of sightings."""

    enabled: bool = Field(True, description="whether the server takes cameras at all")
    limit: int = Field(64, ge=0, description="most cameras; beyond: 409 too_many_cameras")
    key: SecretStr | None = Field(
        None,
        description="what passwords in sources, and secrets of webhooks, are sealed with in the store; `facegroup camera "
        "key` makes one; without it none is taken",
    )
    networks: tuple[str, ...] = Field(
        (),
        description='private networks that sources and webhooks may be in, as `["192.168.1.0/24"]`; others are refused',
    )
    folder: Path | None = Field(None, description="folder that file sources must be in; empty: there are none")
    devices: bool = Field(False, description="whether webcams of the machine (v4l2:///dev/video0) may be looked at")
    num_cpus: float = Field(0.5, ge=0, description="of the process that looks after them")
    camera_cpus: float = Field(0, ge=0, description="that Ray counts for a camera; 0: as many on a machine as come")
    share: float = Field(
        0.25,
        ge=0,
        le=1,
        description="part of a detector's batch that is left to frames of cameras while requests wait; 0: requests first",
    )
    width: int = Field(1280, ge=64, description="wider frames are scaled down to this many pixels before they are sent")
    link_seconds: float = Field(
        60, ge=0, description="somebody seen by another camera within this time is on the same visit"
    )
    unknown_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="similarity at which two strangers are one; empty: a sixth of the way from the gallery's threshold to 1",
    )
    keep_days: float = Field(30, gt=0, description="sightings, strangers and videos older than this are erased")
    keep_sightings: int = Field(100_000, gt=0, description="most sightings that are kept, the newest")
    keep_unknowns: int = Field(5_000, gt=0, description="most strangers that are kept, the latest seen")
    keep_videos: int = Field(100, gt=0, description="most videos whose results are kept, the newest")
    webhooks: int = Field(32, ge=0, description="most webhooks")
    give_up_hours: float = Field(
        72, gt=0, description="an event that a webhook's receiver did not take for so long becomes a dead letter"
    )
    mqtt: SecretStr | None = Field(
        None, description="broker that events are published to: mqtt://user:password@host:1883, or mqtts://"
    )
    mqtt_ca: Path | None = Field(
        None,
        description="PEM file of the authority that signed the broker's certificate, for mqtts://; empty: the system's",
    )
    mqtt_topic: str = Field(
        "facegroup", pattern=_TOPIC, min_length=1, description="first part of the topics; each server needs its own"
    )
    mqtt_discovery: str = Field(
        "homeassistant", pattern=_TOPIC, description="prefix of Home Assistant's discovery; empty: none"
    )
    mqtt_pictures: bool = Field(
        False, description="whether the face of whoever came last to a camera is published, while they are there"
    )

    @field_validator("mqtt")
    @classmethod
    def _is_broker(cls, given: SecretStr | None) -> SecretStr | None:
        if given is None:
            return None
        text = given.get_secret_value()
        parts = None if re.search(r"[\s\x00-\x1f]", text) else parted(text)
        if (
            parts is None
            or parts.scheme not in ("mqtt", "mqtts")
            or not parts.hostname
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError(f"should be mqtt://user:password@host:1883, or mqtts://. {ESCAPED}")
        return given

    @field_validator("mqtt_ca")
    @classmethod
    def _is_file(cls, given: Path | None) -> Path | None:
        if given is not None and not given.is_file():
            raise ValueError(f"there is no file {given}")
        if given is not None:
            try:
                ssl.create_default_context(cafile=given)
            except OSError:  # ssl.SSLError is one
                raise ValueError(f"{given} holds no certificate in PEM form that can be read") from None
        return given


class Settings(BaseSettings):
    """All settings of facegroup."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    network: str = Field("vggface2-resnet50", description="network of new galleries, and the one that this server runs")
    store: str = Field(
        default_factory=lambda: f"sqlite:///{platformdirs.user_data_path('facegroup') / 'gallery.db'}",
        description="sqlite:///path/gallery.db or redis://host:port/0 (TLS, Sentinel: docs/gallery.md)",
    )
    gallery: str = Field("default", description="gallery of the command line, created when the server starts")
    threshold: float | None = Field(
        None, ge=-1, le=1, description="similarity that new galleries ask for; empty: the network's own"
    )
    model_dir: Path | None = Field(None, description="folder searched for weights before the user's cache")
    cache_dir: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("facegroup"),
        description="downloaded and converted networks; below `run`, what a running server writes (docs/deployment.md)",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535)
    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="name that the processes of one server know each other by; `facegroup serve` makes one for each",
    )
    hosts: Hosts = Field(
        (),
        description='names by which the server is reached beside IP addresses, localhost and `host`, as `["faces.lan"]` '
        "or `*.example.org`; requests for others are 403 host_not_allowed",
    )
    cors_origins: Origins = Field(
        (),
        description='origins of other web pages that may use the server in a browser, as `["https://app.example.org"]`; '
        "requests of others that change something are 403 origin_not_allowed",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    limits: Limits = Limits()
    detector: Detector = Detector()
    embedder: Embedder = Embedder()
    matcher: Matcher = Matcher()
    ingress: Ingress = Ingress()
    cameras: Cameras = Cameras()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then the YAML file that FACEGROUP_CONFIG names."""
        path = os.environ.get(CONFIG)
        yaml = (YamlConfigSettingsSource(settings_cls, yaml_file=path),) if path else ()
        return (init_settings, env_settings, *yaml)


def load(**given: object) -> Settings:
    """Return the settings of this process; `given` ones (not None) win over the environment.

    Raises:
        InvalidSettings: a name is unknown, a value impossible, or the YAML file unreadable.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {CONFIG}
    for name in os.environ:
        if name.startswith(PREFIX) and name.split("__")[0] not in known:
            raise InvalidSettings(f"{name} is no setting of facegroup; see docs/settings.md")
    path = os.environ.get(CONFIG)
    if path and not Path(path).is_file():
        raise InvalidSettings(f"{CONFIG} names {path}, which is no file")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise InvalidSettings("; ".join(lines)) from error
    except (YAMLError, ValueError, OSError) as error:
        raise InvalidSettings(f"{path or 'a setting'} cannot be read: {error}") from error
