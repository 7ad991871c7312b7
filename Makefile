# Everything starts from here: plain `make` lists what there is. Nothing is installed outside .venv, except a
# redis-server, mosquitto, GStreamer's RTSP server, iproute2 and a browser by `make test` where it runs as root and there is none.

BIN := .venv/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
MODELS := $(wildcard ../shared/models)
ifneq ($(MODELS),)
export FACEGROUP_MODEL_DIR ?= $(abspath $(MODELS))
endif
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock"

.PHONY: help demo test check bench serve slow docs lock dist sbom advisories clean redis mosquitto rtsp browser namespaces
.SILENT:

help: ## list the targets
	sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: .venv/ready ## recognise people on a real server; ONCE=1 ends after the answers, PHOTOS=dir takes your own
	$(BIN)/facegroup demo $(if $(ONCE),--once) $(if $(PHOTOS),--photos "$(PHOTOS)")

test: check redis mosquitto rtsp browser namespaces ## check, then all tests but the slow ones
	$(BIN)/pytest -q -m "not slow" -n 2 --dist loadfile tests/unit tests/serve
	$(BIN)/pytest -q -m "not slow" --ignore tests/unit --ignore tests/serve

check: .venv/ready ## style, types, imports, locks and pages up to date
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --no-error-summary
	$(BIN)/pytest -q --no-header tests/unit/test_house.py

bench: .venv/ready ## run every measurement in benchmarks/; JSON=file and PLOTS=dir keep what it finds
	$(BIN)/python -m benchmarks $(if $(JSON),--json "$(JSON)") $(if $(PLOTS),--plots "$(PLOTS)")

serve: .venv/ready ## start the server
	$(BIN)/facegroup serve

slow: .venv/ready redis mosquitto rtsp browser namespaces ## the tests that take minutes, over all of ../shared
	$(BIN)/pytest -q -m slow

docs: .venv/ready ## write the pages that come from code
	$(BIN)/python -m docs.settings_page > docs/settings.md

lock: .venv/ready ## pin again what pyproject.toml asks for; UPGRADE=1 takes the newest
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev pyproject.toml -o requirements-dev.lock
	$(COMPILE) -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements-dev.lock --extra gpu pyproject.toml -o requirements-gpu.lock
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-build.in -o requirements-build.lock
	echo uv | $(COMPILE) $(if $(UPGRADE),--upgrade) - -o requirements-uv.lock
	echo cyclonedx-bom | $(COMPILE) $(if $(UPGRADE),--upgrade) - -o requirements-sbom.lock

DIST ?= dist
# Files in a wheel have the time of the last commit, so that the same commit gives the same bytes anywhere.
dist: .venv/ready ## build the wheel of this commit into dist/, the same bytes each time
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2> /dev/null || echo 315532800) $(BIN)/uv build --quiet --wheel \
		--build-constraint requirements-build.lock --require-hashes --out-dir "$(DIST)" .
	sha256sum "$(DIST)"/*.whl

sbom: .venv/ready ## list what facegroup installs, as CycloneDX, and the licences, into build/
	$(BIN)/uv pip install --quiet --target build/cyclonedx --require-hashes -r requirements-sbom.lock
	PYTHONPATH=build/cyclonedx $(BIN)/python -m cyclonedx_py environment --output-reproducible --of JSON \
		--pyproject pyproject.toml $(BIN)/python | $(BIN)/python -m release.sbom requirements.lock build/sbom.cdx.json \
		build/licences.md

advisories: .venv/ready ## check the pins against FILE=, a copy of a database of advisories (CONTRIBUTING.md)
	$(BIN)/python -m release.advisories "$(FILE)" requirements.lock requirements-gpu.lock requirements-dev.lock

clean: ## remove .venv and everything that was built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: requirements-uv.lock requirements-build.lock requirements-dev.lock pyproject.toml
	test -n "$(PYTHON)" || { echo "facegroup needs Python 3.11, 3.12 or 3.13 with pip; name it: make PYTHON=..." >&2; exit 1; }
	echo "installing into .venv, once: about 4 GB, a minute or two"
	test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --quiet --disable-pip-version-check --python $(BIN)/python install --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes -b requirements-build.lock requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -b requirements-build.lock --editable .
	touch $@

# $(call install,program,packages,command): a program that tests start, from the machine's own packages; the command says
# whether it is there.
install = $(3) > /dev/null 2>&1 \
	|| { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && echo "installing $(2) for the tests" \
		&& { apt-get update && apt-get install -y --no-install-recommends $(2); } > /dev/null 2>&1; } \
	|| echo "no $(1) here and none could be installed: the tests that need it are skipped"

, := ,
GSTREAMER := gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-bad

redis:
	$(call install,redis-server,redis-server,command -v redis-server)

namespaces:
	$(call install,iproute2 and util-linux,iproute2 util-linux procps,command -v ip && command -v unshare && command -v ps)

mosquitto:
	$(call install,mosquitto,mosquitto,PATH="$$PATH:/usr/sbin" command -v mosquitto)

rtsp:
	$(call install,RTSP server,$(GSTREAMER),/usr/bin/python3 -c "import gi; gi.require_version('GstRtspServer'$(,) '1.0')")

browser:
	$(call install,chromedriver,chromium chromium-driver,command -v chromedriver)
