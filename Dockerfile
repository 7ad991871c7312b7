# The server; for an NVIDIA GPU with --build-arg REQUIREMENTS=requirements-gpu.lock. Weights are downloaded at the first
# start into /cache. Mount volumes at /cache and /data. BASE=python:3.12-slim-bookworm@sha256:… pins the base by its digest.
ARG BASE=python:3.12-slim-bookworm
FROM $BASE AS build
ARG REQUIREMENTS=requirements.lock
WORKDIR /src
COPY requirements-uv.lock requirements-build.lock requirements.lock requirements-gpu.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
    && python -m venv --without-pip /opt/facegroup \
    && uv pip sync --no-cache --compile-bytecode --python /opt/facegroup/bin/python --require-hashes -b requirements-build.lock "$REQUIREMENTS"
COPY pyproject.toml README.md LICENSE ./
COPY facegroup facegroup
COPY deployments deployments
COPY serve serve
RUN uv pip install --no-cache --compile-bytecode --python /opt/facegroup/bin/python --no-deps -b requirements-build.lock .

FROM $BASE
COPY --from=build /opt/facegroup /opt/facegroup
RUN groupadd --gid 10001 facegroup && useradd --uid 10001 --gid 10001 --create-home facegroup && install -d -o facegroup -g facegroup /cache /data
USER 10001:10001
WORKDIR /home/facegroup
ENV PATH=/opt/facegroup/bin:$PATH PYTHONUNBUFFERED=1 \
    FACEGROUP_HOST=0.0.0.0 FACEGROUP_PORT=8000 FACEGROUP_CACHE_DIR=/cache FACEGROUP_STORE=sqlite:////data/gallery.db \
    FACEGROUP_ACCESS__FIRST_KEY=/data/admin.key
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"FACEGROUP_PORT\"]}/healthz', timeout=4)"]
CMD ["facegroup", "serve"]
