# wsss: `make demo` runs the whole pipeline, `make test` checks everything.
# The go backend's vector kernels need GOEXPERIMENT=simd at build time.
export GOEXPERIMENT := simd

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ORT_VERSION := 1.30.0
ORT_DIR     := $(CURDIR)/.cache/onnxruntime

# Tests run in their package's folder, so the library is named absolutely.
ifneq ($(wildcard $(ORT_DIR)/libonnxruntime.so.1),)
export ONNXRUNTIME_SHARED_LIBRARY_PATH ?= $(ORT_DIR)/libonnxruntime.so.1
endif

.PHONY: build demo test verify lint bench table ort clean

build: bin/wsss

bin/wsss: FORCE
	@go build -o $@ ./cmd/wsss
FORCE:

# The main job to its HTML report: no download beside the Go modules.
demo: build
	./bin/wsss run -config configs/demo.toml

test: lint
	go test -timeout 15m ./...

# Minutes to an hour: full-size parity, long resumes, real photos.
verify: build
	WSSS_VERIFY=1 go test -timeout 90m ./...

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt: the files above are not formatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

# Ratios against peers measured in the same run; minutes. PyTorch's rows need
# Debian's python3-torch.
bench:
	go run ./bench/deeplab
	go run ./bench/eval
	go run ./bench/foundation
	go run ./bench/clip

# Every method by weak label on generated scenes, beside the papers' numbers;
# its maps need a classifier and a fine-tuned CLIP, trained first. Half an hour.
table: build
	./bin/wsss train-classifier -config configs/scenes_cam.toml
	./bin/wsss finetune-clip -config configs/clip_scenes.toml
	./bin/wsss table -config configs/tables/scenes_methods.toml

# ONNX Runtime from the npm registry, checked by the hash that npm pins.
ort: $(ORT_DIR)/libonnxruntime.so.1
$(ORT_DIR)/libonnxruntime.so.1:
	@mkdir -p $(ORT_DIR)
	ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-audit --no-fund --prefix $(ORT_DIR)/npm onnxruntime-node@$(ORT_VERSION)
	cp $(ORT_DIR)/npm/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1 $@.tmp && mv $@.tmp $@
	rm -rf $(ORT_DIR)/npm

clean:
	rm -rf bin runs
