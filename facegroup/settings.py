"""All settings as one frozen tree, read from arguments, environment variables and a YAML file.

The first source that has a value wins: arguments (flags, YAML of `serve deploy`), `FACEGROUP_…` variables, the YAML file
in `FACEGROUP_CONFIG`, and the defaults here. Nested settings have two underscores: `FACEGROUP_EMBEDDER__BATCH=64`. An
unknown name is an error.
"""

import os
import re
import ssl
from ipaddress import ip_address, ip_network
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
    model_validator,
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

RATE = 10**12
"""Most that a rate limit can be."""

_PER_MACHINE = "most replicas on one machine, so that the loss of a machine leaves some; 0 sets no limit"

Engine = Literal["auto", "openvino", "keras", "onnxruntime", "dlib", "simulated"]


def _several(given: object) -> object:
    """Split the value of a variable: a JSON list, or words separated by commas or spaces."""
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
        raise ValueError(
            "should be origins such as https://app.example.org. A wildcard for all origins is not supported"
        )
    return where.removesuffix(f":{port}") if port == _PORTS[parts.scheme] else where


def _issuer(given: str) -> str:
    parts = urlsplit(given)
    plain = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (parts.scheme == "https" or plain) or not parts.hostname or parts.query or parts.fragment or "@" in given:
        raise ValueError(
            "should be an address such as https://login.example.org/realms/choir; plain http only on loopback"
        )
    return given


def _network(given: str) -> str:
    return _absolute(given) if given.lower().endswith((".yaml", ".yml")) else given


def _absolute(given: str) -> str:
    """Make the path of a file absolute, since the processes of a server run in other folders."""
    try:
        return str(Path(given).expanduser().absolute())
    except (RuntimeError, OSError) as error:  # of a user who is not known, or in a folder that is gone
        raise ValueError(f"{given} cannot be found: {error}") from error


def _file(given: Path) -> Path:
    return Path(_absolute(str(given)))


def _detector(given: str) -> str:
    if given in ("mtcnn", "yunet"):
        return given
    if not given.lower().endswith((".yaml", ".yml")):
        raise ValueError(f"should be mtcnn, yunet, or the path of a YAML file (.yaml), not {given[:80]!r}")
    return _absolute(given)


def _proxy(given: str) -> str:
    try:
        return str(ip_network(given))
    except ValueError:
        raise ValueError(
            f"should be addresses or networks such as 10.0.0.5 or 10.1.0.0/16, not {given[:80]!r}"
        ) from None


Networks = Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], NoDecode, BeforeValidator(_several)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_several)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_several)]


OwnFile = Annotated[Path, AfterValidator(_file)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(_Part):
    """Limits of one request. A request beyond a limit is refused, and the error names the limit."""

    body_bytes: int = Field(64 << 20, gt=0, description="most bytes in the body of a request")
    json_bytes: int = Field(
        16 << 20,
        gt=0,
        description="most bytes in a JSON body; reading one of 64 MB takes 2 GB of memory and 4 s of the ingress",
    )
    image_bytes: int = Field(60_000_000, gt=0, description="most bytes in an image")
    image_pixels: int = Field(
        100_000_000, gt=0, description="most pixels that are decoded of an image; a JPEG is decoded at a reduced scale"
    )
    jpeg_pixels: int = Field(
        220_000_000, gt=0, description="most pixels of a baseline JPEG, which is decoded a few rows at a time"
    )
    progressive_pixels: int = Field(
        64_000_000,
        gt=0,
        description="most pixels of a progressive JPEG, which is held in memory completely: 3 to 8 bytes per pixel",
    )
    side_pixels: int = Field(
        2048, ge=64, description="longest side of an image in detection; larger images are scaled down"
    )
    images: int = Field(100, gt=0, description="most images in a request")
    faces: int = Field(256, gt=0, description="most faces in the answer for an image; the most confident are kept")
    request_seconds: float = Field(60.0, gt=0, description="time after which a request is cancelled")
    video_bytes: int = Field(1 << 30, gt=0, description="most bytes in a video")


class Detector(_Part):
    """The processes that decode photos, detect faces and cut them out."""

    model: Annotated[str, AfterValidator(_detector)] = Field(
        "mtcnn",
        description="detector: mtcnn, yunet, or the path of a YAML file that describes your own (docs/detectors.md)",
    )
    engine: Engine = Field(
        "auto",
        description="runtime of the detector: openvino on a CPU; on a GPU keras for mtcnn and onnxruntime for others; auto "
        "chooses by num_gpus",
    )
    precision: Literal["fp32", "bf16", "int8"] = Field(
        "fp32",
        description="precision of the detector; bf16 and int8 need openvino and a CPU that supports them (MTCNN's P-Net "
        "stays in fp32)",
    )
    min_face_size: int = Field(20, ge=12, description="smallest face that is detected, in pixels")
    min_confidence: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="least confidence of a face in the answer; if empty, the detector's own (mtcnn 0.8, yunet 0.688)",
    )
    replicas: int = Field(1, ge=1)
    per_machine: int = Field(0, ge=0, description=_PER_MACHINE)
    num_cpus: float = Field(1, ge=0)
    num_gpus: float = Field(0, ge=0)
    threads: int = Field(
        0, ge=0, description="compute threads of a replica; 0 uses num_cpus, or all cores with `facegroup serve`"
    )
    batch_pixels: int = Field(4_000_000, gt=0, description="most pixels in one detection batch (one image always fits)")
    batch: int = Field(16, gt=0, description="most images in one detection batch")
    simulated_ms: float = Field(5, ge=0, description="time per batch with the engine simulated (docs/scaling.md)")
    queue: int = Field(256, gt=0, description="most images waiting in a replica; more are refused with 429")
    queue_bytes: int = Field(
        512 << 20, gt=0, description="most bytes of images waiting in a replica; more are refused with 429"
    )


class Liveness(_Part):
    """Presentation-attack detection: is a face live, or a print or a screen with a face? Off by default, and then free.

    It runs in the detector's processes, with their threads and precision, on single pictures. It is an obstacle, not a
    proof: it is not certified (ISO/IEC 30107-3), misses most pictures that fill the view, does not detect masks, nor a
    stream that is injected in place of the camera's, and refuses pictures without colour, as of cameras at night
    (docs/liveness.md). What a face that is not live may not do is set per gallery.
    """

    model: Literal["none", "minifasnet"] = Field(
        "none",
        description="network that scores every face; minifasnet is MiniFASNet V2 + V1SE of Silent-Face-Anti-Spoofing",
    )
    threshold: float = Field(
        0.5, ge=0, lt=1, description="a face is live if its score exceeds this (docs/liveness.md has the error rates)"
    )
    min_face_size: int = Field(
        40, ge=12, description="shorter side of the smallest face that is scored, in pixels; smaller ones are not live"
    )

    @property
    def least(self) -> float | None:
        """The score that a live face exceeds; None: no face is scored."""
        return None if self.model == "none" else self.threshold


class Embedder(_Part):
    """The processes that turn face crops into descriptors."""

    engine: Engine = Field(
        "auto", description="runtime of the network; auto is openvino on a CPU, and keras or onnxruntime on a GPU"
    )
    precision: Literal["fp32", "bf16", "fp16", "int8"] = Field(
        "fp32",
        description="precision of the network: bf16 or int8 with openvino, bf16 or fp16 with keras; an unsupported one is "
        "refused",
    )
    calibration: Path | None = Field(
        None, description="folder of typical photos with faces; used once, to quantise a network to int8"
    )
    replicas: int = Field(1, ge=1)
    per_machine: int = Field(0, ge=0, description=_PER_MACHINE)
    num_cpus: float = Field(1, ge=0)
    num_gpus: float = Field(0, ge=0)
    threads: int = Field(
        0, ge=0, description="compute threads of a replica; 0 uses num_cpus, or all cores with `facegroup serve`"
    )
    batch: int = Field(32, gt=0, description="most faces in one embedding batch")
    simulated_ms: float = Field(5, ge=0, description="time per batch with the engine simulated (docs/scaling.md)")
    queue: int = Field(4096, gt=0, description="most faces waiting in a replica; more are refused with 429")
    queue_bytes: int = Field(
        1 << 30, gt=0, description="most bytes of faces waiting in a replica; more are refused with 429"
    )


class Matcher(_Part):
    """The gallery actor, which keeps the centroids in the store and matches faces against them."""

    replicas: int = Field(1, ge=1)
    per_machine: int = Field(0, ge=0, description=_PER_MACHINE)
    num_cpus: float = Field(0.5, ge=0)
    candidates: int = Field(3, ge=1, le=100, description="candidates in each answer, if the request sets no number")
    threads: int = Field(0, ge=0, description="compute threads of a replica; 0 uses num_cpus, at least one")
    index: Literal["auto", "exact", "compact"] = Field(
        "auto",
        description="search method: exact compares all people in full; compact compares short codes first, for galleries of "
        "hundreds of thousands; auto chooses by exact_mb (docs/decisions/0006-index.md)",
    )
    exact_mb: int = Field(
        850, ge=0, description="with index auto: most MB of centroids that are searched exactly; 103,000 × 2048"
    )
    sweep_seconds: float = Field(60, gt=0, description="interval between deletions of expired people")


class Audit(_Part):
    """The audit logs: one of each gallery, and one of the server."""

    keep_days: float = Field(
        365, ge=0, allow_inf_nan=False, description="days that entries are kept; 0: without a limit"
    )
    entries: int = Field(100_000, ge=1, description="most entries of each log; the oldest go")


class Ingress(_Part):
    """The processes that serve HTTP."""

    replicas: int = Field(1, ge=1)
    per_machine: int = Field(0, ge=0, description=_PER_MACHINE)
    num_cpus: float = Field(0.5, ge=0)
    batch: int = Field(64, gt=0, description="most images in one call to a detector")
    batch_bytes: int = Field(
        16 << 20, gt=0, description="most bytes of images in one call to a detector (one image always fits)"
    )
    inflight: int = Field(4, gt=0, description="most concurrent calls from an ingress to detectors")
    queue: int = Field(512, gt=0, description="most images waiting in an ingress; more are refused with 429")
    queue_bytes: int = Field(
        512 << 20,
        gt=0,
        description="most bytes of request bodies in an ingress, a quarter of them reserved for small bodies; more are "
        "refused with 429 before they are read",
    )


class Cameras(_Part):
    """The process that manages all cameras and reports sightings. Each camera has a process of its own."""

    enabled: bool = Field(True, description="whether the server accepts cameras")
    limit: int = Field(64, ge=0, description="most cameras; more are refused with 409 too_many_cameras")
    key: SecretStr | None = Field(
        None,
        description="key that encrypts passwords of sources and secrets of webhooks in the store; create one with "
        "`facegroup camera key`; without it and without secret_key they are refused",
    )
    networks: tuple[str, ...] = Field(
        (),
        description='private networks that sources and webhooks may use, as `["192.168.1.0/24"]`; others are refused',
    )
    folder: Path | None = Field(None, description="folder that file sources must be in; if empty, they are refused")
    devices: bool = Field(False, description="whether webcams of the machine (v4l2:///dev/video0) may be used")
    num_cpus: float = Field(0.5, ge=0, description="CPUs that Ray reserves for the managing process")
    camera_cpus: float = Field(
        0, ge=0, description="CPUs that Ray reserves for each camera; 0 does not limit the cameras on a machine"
    )
    share: float = Field(
        0.25,
        ge=0,
        le=1,
        description="share of a detector's batch for camera frames while requests wait; 0 puts requests first",
    )
    width: int = Field(
        1280, ge=64, description="most pixels across a frame; wider frames are scaled down before they are sent"
    )
    link_seconds: float = Field(
        60, ge=0, description="time within which sightings by several cameras belong to the same visit"
    )
    unknown_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="similarity at which two strangers count as one person; if empty, a sixth of the way from the gallery's "
        "threshold to 1",
    )
    keep_days: float = Field(30, gt=0, description="age after which sightings, strangers and videos are deleted")
    keep_sightings: int = Field(100_000, gt=0, description="most sightings kept; the oldest are deleted first")
    keep_unknowns: int = Field(
        5_000, gt=0, description="most strangers kept; those not seen for longest are deleted first"
    )
    unknowns_in_cohort: bool = Field(
        False, description="whether descriptors of strangers may be copied into a gallery's cohort (docs/cohort.md)"
    )
    keep_videos: int = Field(100, gt=0, description="most videos whose results are kept; the oldest are deleted first")
    webhooks: int = Field(32, ge=0, description="most webhooks")
    give_up_hours: float = Field(
        72,
        gt=0,
        description="time after which an event that a webhook's receiver does not accept becomes a dead letter",
    )
    ca: OwnFile | None = Field(
        None,
        description="PEM file of certificate authorities that are trusted beside the usual ones, for webhooks and for "
        "https:// sources at public addresses",
    )
    mqtt: SecretStr | None = Field(
        None, description="MQTT broker to publish events to: mqtt://user:password@host:1883, or mqtts://"
    )
    mqtt_ca: Path | None = Field(
        None,
        description="PEM file of the certificate authority for mqtts://; if empty, the system's authorities",
    )
    mqtt_topic: str = Field(
        "facegroup", pattern=_TOPIC, min_length=1, description="first part of the topics; each server needs its own"
    )
    mqtt_discovery: str = Field(
        "homeassistant", pattern=_TOPIC, description="prefix for Home Assistant discovery; if empty, discovery is off"
    )
    mqtt_pictures: bool = Field(
        False, description="whether to publish the face of the last person to arrive at a camera, while they are there"
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

    @field_validator("mqtt_ca", "ca")
    @classmethod
    def _is_file(cls, given: Path | None) -> Path | None:
        if given is not None and not given.is_file():
            raise ValueError(f"file {given} does not exist")
        if given is not None:
            try:
                ssl.create_default_context(cafile=given)
            except OSError:  # ssl.SSLError is one
                raise ValueError(f"{given} holds no certificate that can be read in PEM format") from None
        return given


class Node(_Part):
    """A machine of a cluster, as `facegroup node` starts it (docs/deployment.md)."""

    address: str | None = Field(
        None, description="address of this machine by which the others reach it; if empty, the one of its network route"
    )
    port: int = Field(
        6380,
        ge=1024,
        le=65_000,
        description="port of the head, which all others join; Ray's own follow it on each machine",
    )
    ports: int = Field(
        20_000, ge=20_000, le=32_500, description="first of the 250 ports of the processes behind the HTTP server"
    )
    cpus: int | None = Field(
        None,
        ge=0,
        description="CPUs that replicas on this machine may reserve; if empty, its cores. 0 keeps replicas off",
    )
    gpus: int | None = Field(None, ge=0, description="GPUs that replicas on this machine may use; if empty, all")
    memory_mb: int = Field(256, ge=80, description="MB of shared memory for Ray's objects")
    redis: SecretStr | None = Field(
        None,
        description="Redis in which the head keeps the state of the cluster, so that it can be lost and come back: "
        "redis://user:password@host:6379, or rediss:// for TLS. Use another Redis than the galleries'",
    )
    drain_seconds: float = Field(
        30, ge=0, description="most seconds in which the replicas of a node that is asked to end move to others"
    )

    @field_validator("address")
    @classmethod
    def _is_ip(cls, given: str | None) -> str | None:
        if given is not None:
            ip_address(given)
        return given

    @field_validator("redis")
    @classmethod
    def _is_redis(cls, given: SecretStr | None) -> SecretStr | None:
        parts = None if given is None else parted(given.get_secret_value())
        if given is not None and (
            parts is None
            or parts.scheme not in ("redis", "rediss")
            or not parts.hostname
            or parts.path not in ("", "/")
        ):
            raise ValueError(f"should be redis://host:6379, without the number of a database. {ESCAPED}")
        return given


class Access(_Part):
    """Who may use the server: keys and their scopes (docs/access.md)."""

    mode: Literal["auto", "keys", "open"] = Field(
        "auto",
        description="keys asks every caller for a key, and open asks nobody; auto is open only for `facegroup serve` on a "
        "loopback address, until the first key is made",
    )
    first_key: OwnFile | None = Field(
        None,
        description="file that the first start writes an admin key to, readable by its user only, if the store never had a "
        "key; if the file exists, its content becomes the admin key, unless it was used already",
    )
    requests_per_minute: int | None = Field(
        None, gt=0, le=RATE, description="most requests of a key that has no limit of its own; if empty, no limit"
    )
    photos_per_minute: int | None = Field(
        None, gt=0, le=RATE, description="most photos of a key that has no limit of its own; if empty, no limit"
    )
    bytes_per_day: int | None = Field(
        None,
        gt=0,
        le=RATE,
        description="most bytes of bodies of a key that has no limit of its own; if empty, no limit",
    )
    anonymous_requests_per_minute: int | None = Field(
        None, gt=0, le=RATE, description="most requests without a key from an address; if empty, no limit"
    )
    anonymous_photos_per_minute: int | None = Field(
        None, gt=0, le=RATE, description="most photos without a key from an address; if empty, no limit"
    )
    anonymous_bytes_per_day: int | None = Field(
        None, gt=0, le=RATE, description="most bytes of bodies without a key from an address; if empty, no limit"
    )
    wrong_keys_per_minute: int | None = Field(
        600, gt=0, le=RATE, description="most keys that do not hold from an address; more are refused with 429"
    )
    session_idle_minutes: float = Field(
        60, ge=5, le=100_000, description="minutes after which a session on the page ends that nobody uses"
    )
    session_hours: float = Field(
        12, gt=0, le=10_000, description="hours after which a session on the page ends, however much it is used"
    )


class Processes(_Part):
    """How the server's processes are checked, and replaced when a deployment changes them (docs/deployment.md)."""

    health_seconds: float = Field(
        30,
        gt=0,
        description="time that a process has to answer a check; after three without an answer it is replaced. One busy "
        "machine needs many seconds, and several machines few",
    )
    surge: bool = Field(
        True,
        description="whether a deployment starts the new process of a stage that has one, without a GPU, before the old one "
        "ends; the deployment waits until there is room for it",
    )


class Tls(_Part):
    """TLS of the server itself, at HAProxy (docs/tls.md). Both files may change while the server runs."""

    certificate: OwnFile | None = Field(
        None,
        description="PEM file of the server's certificate, followed by those of intermediate authorities; with it the "
        "server speaks HTTPS only",
    )
    key: OwnFile | None = Field(None, description="PEM file of its private key, readable by its owner only")
    hsts_seconds: int = Field(
        86_400,
        ge=0,
        le=10**9,
        description="how long a browser that was here uses HTTPS only for this host name (Strict-Transport-Security), on "
        "all of its ports; 0 makes browsers forget it",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "Tls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("set both tls.certificate and tls.key, or neither")
        return self


class Oidc(_Part):
    """Sign-in on the page with an OpenID Connect provider (docs/access.md)."""

    issuer: Annotated[str, AfterValidator(_issuer)] | None = Field(
        None, description="address of the provider, exactly as it calls itself; if empty, nobody signs in with one"
    )
    client_id: str = Field("facegroup", min_length=1, max_length=500, description="name of this server at the provider")
    client_secret_file: OwnFile | None = Field(
        None, description="file that holds the client's secret; if empty, the client is public and has PKCE only"
    )
    name: str = Field("single sign-on", min_length=1, max_length=60, description="what the page calls the provider")
    url: Annotated[str, AfterValidator(_origin)] | None = Field(
        None,
        description="address of this server as browsers know it, such as https://faces.example.org; if empty, that of each "
        "request",
    )
    scopes: str = Field(
        "openid profile email", pattern=r"^openid( [!-~]+)*$", description="what is asked of the provider"
    )
    name_claim: str = Field("preferred_username", min_length=1, description="claim that has the user's name")
    role_claim: str = Field("groups", min_length=1, description="claim that has the user's groups")
    roles: dict[str, Literal["viewer", "editor", "admin"]] = Field(
        {}, description='role of each group, as `{"staff": "editor"}`; who is in none of them is refused'
    )
    galleries: dict[str, tuple[str, ...]] = Field(
        {},
        description='galleries of each group, as `{"staff": ["choir"]}`, and `["*"]` for all; if empty, all groups have all '
        "galleries",
    )


class Settings(BaseSettings):
    """All settings of facegroup."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    network: Annotated[str, AfterValidator(_network)] = Field(
        "vggface2-resnet50",
        description="network that the server runs and that new galleries use: a name (`facegroup networks`), or the path of "
        "a YAML file that describes your own (docs/networks.md)",
    )
    store: str = Field(
        default_factory=lambda: f"sqlite:///{platformdirs.user_data_path('facegroup') / 'gallery.db'}",
        description="sqlite:///path/gallery.db or redis://host:port/0 (TLS, Sentinel: docs/gallery.md)",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="key that encrypts descriptors, face crops and secrets in the store; `facegroup secret-key` makes one; "
        "of several, separated by commas, the first encrypts and each decrypts (docs/encryption.md)",
    )
    secret_key_file: OwnFile | None = Field(None, description="file that holds the key instead")
    secret_key_command: str | None = Field(
        None, description="command that prints the key instead, such as `pass show facegroup`; it runs without a shell"
    )
    gallery: str = Field(
        "default", description="default gallery of the command line; the server creates it at the start"
    )
    threshold: float | None = Field(
        None, ge=-1, le=1, description="threshold of new galleries; if empty, the network's own"
    )
    model_dir: Path | None = Field(None, description="folder that is searched for weights before the user's cache")
    cache_dir: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("facegroup"),
        description="folder for downloaded and converted networks; a running server writes below `run` (docs/deployment.md)",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535)
    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="name by which the processes of one server find each other; `facegroup serve` chooses one",
    )
    hosts: Hosts = Field(
        (),
        description='host names of the server in addition to IP addresses, localhost and `host`, as `["faces.lan"]` or '
        "`*.example.org`; requests for other names are refused with 403 host_not_allowed",
    )
    cors_origins: Origins = Field(
        (),
        description='origins of other web pages that may use the server in a browser, as `["https://app.example.org"]`; '
        "changes from other origins are refused with 403 origin_not_allowed",
    )
    trusted_proxies: Networks = Field(
        (),
        description='addresses or networks of proxies in front of the server, as `["10.0.0.5", "10.1.0.0/16"]`; only they '
        "may say from which address, and by http or https, a request came to them",
    )
    forwarded: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for",
        description="header in which they say it: X-Forwarded-For and X-Forwarded-Proto, or Forwarded (RFC 7239)",
    )
    client_key: SecretStr | None = Field(
        None, description="key that the command line sends to the server of `--server` (docs/access.md)"
    )
    client_ca: OwnFile | None = Field(
        None,
        description="PEM file of certificate authorities that the command line trusts beside the usual ones, for the server "
        "of `--server` (docs/tls.md)",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tls: Tls = Tls()
    access: Access = Access()
    oidc: Oidc = Oidc()
    limits: Limits = Limits()
    detector: Detector = Detector()
    liveness: Liveness = Liveness()
    embedder: Embedder = Embedder()
    matcher: Matcher = Matcher()
    ingress: Ingress = Ingress()
    cameras: Cameras = Cameras()
    audit: Audit = Audit()
    processes: Processes = Processes()
    node: Node = Node()

    @model_validator(mode="after")
    def _has_one_key(self) -> "Settings":
        given = (self.secret_key, self.secret_key_file, self.secret_key_command)
        if sum(each is not None for each in given) > 1:
            raise ValueError("set one of secret_key, secret_key_file and secret_key_command, not several")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order: arguments, variables, then the YAML file in FACEGROUP_CONFIG."""
        path = os.environ.get(CONFIG)
        yaml = (YamlConfigSettingsSource(settings_cls, yaml_file=path),) if path else ()
        return (init_settings, env_settings, *yaml)


def load(**given: object) -> Settings:
    """Return the settings of this process. Arguments that are not None win over the environment.

    Raises:
        InvalidSettings: a name is unknown, a value is invalid, or the YAML file is unreadable.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {CONFIG}
    for name in os.environ:
        if name.startswith(PREFIX) and name.split("__")[0] not in known:
            raise InvalidSettings(f"Unknown setting {name}. See docs/settings.md for all settings.")
    path = os.environ.get(CONFIG)
    if path and not Path(path).is_file():
        raise InvalidSettings(f"{CONFIG} names {path}, which is not a file.")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise InvalidSettings("; ".join(lines)) from error
    except (YAMLError, ValueError, OSError) as error:
        raise InvalidSettings(f"{path or 'A setting'} cannot be read: {error}") from error
