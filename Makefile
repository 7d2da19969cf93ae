# One word for each thing to do. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
SEED ?= 7
SEEDS ?= 1
HOURS ?= 1
START ?= 1000
MINUTES ?= 10
WORLDS ?= 60
BACKFILL ?= 0
RUNS ?= 1000
OBJECTS ?= 100000

SPARK := tmp/spark
LINTER := tmp/cfn-lint
FAKESNOW := tmp/fakesnow
VERSITYGW_VERSION := 1.8.0
VERSITYGW := tmp/versitygw-$(VERSITYGW_VERSION)
INSTALLED := node_modules/.package-lock.json
READY := kernel/kernel.wasm

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | awk -F '\t' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(INSTALLED) $(READY) ## install what the project needs, from its lockfile

# Not `npm ci`: it refuses a lockfile that lacks binaries of platforms which the registry at hand does not serve.
$(INSTALLED): package.json package-lock.json
	@npm install --no-save --no-progress --loglevel=error
	@touch $(INSTALLED)

# What reads records in the normalizer's hot loops: AssemblyScript, compiled to WebAssembly.
$(READY): $(wildcard kernel/*.ts kernel/asconfig.json) | $(INSTALLED)
	@npm run --silent kernel

demo: $(READY) ## both streams from a hostile partner into a table, with proof (SEED=7)
	@bin/tidemark demo --seed $(SEED)

# The S3 server is built beside the checks: from cold it takes as long as they do.
test: $(READY) ## types, style, structure, and every test
	@$(MAKE) --no-print-directory --jobs=2 check versitygw
	@UV_THREADPOOL_SIZE=12 vitest run

# Not optimized, which takes half the time to build. Where it can't be, its tests are skipped with the reason, and fail where CI or TIDEMARK_REQUIRE_S3=1 is set.
versitygw: $(VERSITYGW)/versitygw ## the S3 server that the tests run against, from Go's module proxy

# A proxy that stumbles is asked twice.
$(VERSITYGW)/versitygw:
	@for attempt in 1 2; do \
		GOBIN=$(CURDIR)/$(VERSITYGW) go install -gcflags="all=-N -l" -ldflags="-s -w" github.com/versity/versitygw/cmd/versitygw@v$(VERSITYGW_VERSION) && exit; \
	done; echo "versitygw was not built: tests on a real S3 server are skipped" >&2

s3-runs: $(READY) versitygw ## writers behind bad networks on a real S3 server, killed at any request (RUNS=1000, SEED=1)
	@node test/store/runs.ts --runs $(RUNS) --seed $(if $(filter file,$(origin SEED)),1,$(SEED))

s3-prefix: $(READY) ## memory of a replay that walks over a prefix of OBJECTS=100000
	@node test/pipeline/prefix.ts $(OBJECTS)

# Not part of `test`: it installs Python packages, and tries the loader's SQL on an emulator that is not ours.
test-fakesnow: $(READY) $(FAKESNOW)/installed ## the Snowflake loader's tests against fakesnow, as far as it goes
	@TIDEMARK_SNOWFLAKE=fakesnow UV_THREADPOOL_SIZE=12 vitest run $(addprefix test/load/snowflake/,suites.test.ts merge.test.ts evolve.test.ts)

fakesnow: $(FAKESNOW)/installed ## install fakesnow, an emulator of Snowflake

$(FAKESNOW)/installed: test/support/fakesnow/requirements.txt
	@command -v python3 > /dev/null || { echo "fakesnow needs python3" >&2; exit 1; }
	@python3 -m venv $(FAKESNOW)
	@$(FAKESNOW)/bin/pip install --quiet --disable-pip-version-check --requirement test/support/fakesnow/requirements.txt
	@touch $@

simulate: $(READY) ## one simulated world of everything that can go wrong, step by step (SEED=7, SEEDS=1)
	@node test/simulation/run.ts --seed $(SEED) --seeds $(SEEDS)

snowflake-runs: $(READY) ## loads into Snowflake's stand-in by two loaders at once, with faults at every step (RUNS=500, START=1000)
	@RUNS=$(if $(filter file,$(origin RUNS)),500,$(RUNS)) START=$(START) UV_THREADPOOL_SIZE=12 vitest run test/load/snowflake/worlds.test.ts

soak: $(READY) ## simulated worlds for HOURS=1, then real processes that are killed for MINUTES=10
	@UV_THREADPOOL_SIZE=12 node test/simulation/soak.ts --hours $(HOURS) --start $(START) --minutes $(MINUTES)

mutants: $(READY) ## break the program in one way after the other, and show that simulated worlds find each (WORLDS=60)
	@node test/simulation/mutants/break.ts --worlds $(WORLDS)

# The other variant: `make slo BACKFILL=30` has a backfill of so many days beside the day. What a day allocates is short-lived.
slo: $(READY) ## a day at peak with two brownouts in virtual time: freshness, requests (HOURS=24, BACKFILL=0)
	@node --max-semi-space-size=64 test/simulation/slo/run.ts --hours $(if $(filter file,$(origin HOURS)),24,$(HOURS)) --backfill $(BACKFILL)

check: $(READY) ## types, style and structure alone
	@tsc -p tsconfig.json
	@oxlint --quiet
	@biome ci --log-level=warn
	@depcruise --config .dependency-cruiser.cjs src bench test --output-type err
	@knip --no-progress

format: $(READY) ## put the code into its form
	@biome check --write --log-level=warn

schema: $(READY) ## write tidemark.schema.json anew from the configuration's definition
	@vitest run test/config -u

bench: $(READY) ## events a second and peak memory of each stage, against the textbook query
	@bench/run

bench-scale: $(READY) ## time and memory up to 20 million events, and shards: half an hour
	@bench/run scale

bench-flat: $(READY) ## loads into a table of 1, 10 and 50 million rows, against a bare MERGE
	@bench/run flat

bench-peak: $(READY) ## the whole line at the pace of 300 million events a day, live for several minutes
	@bench/run peak

bench-odd: $(READY) ## what it costs that one record in a hundred has an odd value
	@bench/run odd

# Java is the only thing that is not installed: Spark runs on it.
$(SPARK)/installed: bench/spark/requirements.txt
	@for needed in python3 java; do command -v $$needed > /dev/null || { echo "bench-spark needs $$needed: Python 3 and Java 17 or newer" >&2; exit 1; }; done
	@python3 -m venv $(SPARK)
	@$(SPARK)/bin/pip install --quiet --disable-pip-version-check --requirement bench/spark/requirements.txt
	@touch $@

bench-spark: $(READY) $(SPARK)/installed ## the normalizer against Spark on the same cores and events
	@bench/run spark --python $(SPARK)/bin/python

$(LINTER)/installed: infra/requirements.txt
	@python3 -m venv $(LINTER)
	@$(LINTER)/bin/pip install --quiet --disable-pip-version-check --requirement infra/requirements.txt
	@touch $@

infra-check: $(LINTER)/installed ## the CloudFormation templates, by cfn-lint
	@$(LINTER)/bin/cfn-lint infra/*.yaml

build: $(READY) ## JavaScript for a package, into dist/
	@tsc -p tsconfig.build.json

clean: ## remove what was built and what the demo left
	rm -rf dist data tmp

.PHONY: help install demo test versitygw s3-runs s3-prefix simulate soak slo mutants check format schema bench bench-scale bench-flat bench-peak bench-odd bench-spark infra-check build clean test-fakesnow fakesnow
