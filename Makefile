# What one does with a checkout. Each target makes what it needs; only Python 3.11 or 3.12 has to be there.
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# The fast tests run on all cores, and give way to what waits for a real program. To read what is left out takes seconds.
FAST := --ignore tests/house/test_api_described.py -n auto --dist loadscope -m "not rasa and not browser and not stack and not addresses and not containers and not kubernetes"
# Types and migrations are checked without a server; the settings only have to be readable.
OFFLINE := DATABASE_URL=postgresql://offline@offline/offline REDIS_URL=redis://offline PARLEY_SECRET_KEY=offline \
	PARLEY_ENCRYPTION_KEYS=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=

SPHINX := $(PY) -m sphinx --conf-dir docs --doctree-dir docs/_build/trees --fail-on-warning --keep-going --quiet

# The tests with one mark; having none of them is no failure, and is said.
marked = $(PYTEST) -m $(1) $(2); status=$$?; [ $$status != 5 ] || { echo "No test is marked $(1)."; exit 0; }; exit $$status

# The files in which a mark stands. To read all the others takes twenty seconds; tests/conftest.py refuses a mark elsewhere.
files = $$(grep -rlw --include='*.py' 'mark.$(1)' tests | sort)

# A long suite, by its name, mark and files; tests/suites.py writes down what it was run with when it has passed.
passed = $(call marked,$(2),--suite $(1) $(3))

.DEFAULT_GOAL := help
.PHONY: help run demo backup restore test test-fast test-rasa test-browser test-addresses test-stack test-programs test-faults test-containers test-kubernetes test-all check format lock openapi docs screenshots docs-links bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start Parley on this machine (PORT, PARLEY_DATA and more: .env.example)
	@scripts/setup.sh run
	@exec $(PY) -m studio.embedded run --end-with-parent

demo: ## Fill a running installation with realistic use
	@scripts/setup.sh run
	@exec $(PY) manage.py demo

backup: ## Back a running installation up: make backup TO=/srv/backups/monday
	@scripts/setup.sh run
	@exec $(PY) manage.py backup "$(TO)"

restore: ## Bring a backup back while nothing runs: make restore FROM=/srv/backups/monday REPLACE=1
	@scripts/setup.sh run
	@exec $(PY) -m studio.embedded manage restore "$(FROM)" $(if $(REPLACE),--replace) $(if $(SAME_STORE),--same-store)

test: test-fast test-rasa ## Run the tests, also those with a real Rasa

test-fast:
	@scripts/setup.sh dev
	nice $(PYTEST) $(FAST)

test-rasa: # also the main flow in a browser, which shares the trained model; what needs a Kafka as well is test-programs'
	@scripts/setup.sh dev
	@$(call passed,rasa,"rasa and not stack",$(call files,rasa))

test-browser:
	@scripts/setup.sh dev
	@$(call marked,"browser and not rasa",$(call files,browser))

test-addresses: # every address, by each kind of person; the API against its description
	@scripts/setup.sh dev
	@$(call marked,addresses,$(call files,addresses))

test-stack: test-programs test-faults

test-programs:
	@scripts/setup.sh dev
	@$(call passed,programs,"stack and not faults",$(call files,stack))

test-faults:
	@scripts/setup.sh dev
	@$(call passed,faults,"stack and faults",$(call files,faults))

test-containers: ## Build the images, and use docker-compose.yml by hand (Docker, 10 minutes and more)
	@scripts/setup.sh dev
	@$(call passed,containers,containers)

test-kubernetes: ## Run what needs a real Kubernetes: built from source on first use (10 minutes), then started
	@scripts/setup.sh dev
	@$(call passed,kubernetes,kubernetes)

test-all: test test-browser test-addresses test-stack ## Run also the suites that need programs beyond Python

check: ## Lint, format, types, migrations
	@scripts/setup.sh dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(OFFLINE) $(PY) -m mypy .
	$(OFFLINE) $(PY) -W ignore manage.py makemigrations --check --dry-run

format: ## Mend what ruff can mend by itself
	@scripts/setup.sh dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: ## Write the lock files from requirements*.txt
	@scripts/setup.sh dev
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" requirements.txt -o requirements.lock
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" requirements-dev.txt -o requirements-dev.lock
	$(PY) -m uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
		--custom-compile-command "make lock" requirements-rasa.txt -o requirements-rasa.lock

openapi: ## Write docs/openapi.json from the running code
	@scripts/setup.sh dev
	$(OFFLINE) $(PY) -W ignore manage.py export_openapi_schema --api studio.api.api --indent 1 --output docs/openapi.json

docs: ## Build the documentation into docs/_build; a warning or a dead link within it is an error
	@scripts/setup.sh dev
	$(SPHINX) --fresh-env --builder html . docs/_build/html
	@echo "The documentation is docs/_build/html/docs/index.html"

screenshots: ## Picture a running installation that make demo has filled (needs a Chromium and poppler-utils)
	@scripts/setup.sh dev
	@$(PY) scripts/screenshots.py

docs-links: ## Look whether what the documentation links to elsewhere is there (asks other servers)
	@scripts/setup.sh dev
	$(SPHINX) --builder linkcheck . docs/_build/links

bench: ## Measure on this machine, and print the ratios
	@scripts/setup.sh dev
	@exec $(PY) -m bench

clean: ## Remove what can be made again; data (PARLEY_DATA) stays
	rm -rf docs/_build .venv .boot .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
