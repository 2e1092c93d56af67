#!/usr/bin/env bash
# Training steps of DeepLab on one NVIDIA GPU, wsss on xla:cuda beside PyTorch
# (bf16 autocast, channels last, with and without torch.compile) in one run:
#
#   bench/gpu/run.sh [results.md]
#
# Needs Go 1.26, the CUDA plug-in of XLA (`wsss doctor -install xla:cuda`, or
# GOMLX_BACKEND naming one) and a Python with a CUDA build of PyTorch ($PYTHON).
# Use of the GPU is sampled once a second while each row runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
export GOEXPERIMENT=simd
out=${1:-bench-gpu.md}
engine=${GOMLX_BACKEND:-xla:cuda}
engines="torch-cuda,torch-cuda-compile,$engine"

command -v nvidia-smi >/dev/null || { echo "bench/gpu: no nvidia-smi: this needs an NVIDIA GPU"; exit 1; }
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/deeplab" ./bench/deeplab

{
  echo "# DeepLab training steps on a GPU"
  echo
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  go list -m github.com/gomlx/gomlx github.com/gomlx/go-xla
  echo "commit $(git rev-parse --short HEAD)"
} | tee "$out"

row() { # title, flags
  echo; echo "## $1"; echo
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits -l 1 > "$bin/use.csv" &
  local sampler=$!
  "$bin/deeplab" -engines "$engines" -steps 20 -rounds 2 "${@:2}"
  kill "$sampler"; wait "$sampler" 2>/dev/null || true
  awk -F, '$1 > 0 { n++; u += $1 } $2 > m { m = $2 } END { if (n) printf "\nGPU use while busy %.0f %%, peak memory in use %.1f GiB (all engines)\n", u / n, m / 1024 }' "$bin/use.csv"
}
{
  row "DeepLab-v2 R101, 321², batch 10" -arch deeplab-v2 -size 321 -batch 10
  row "DeepLab-v2 R101, 321², batch 10, MSC" -arch deeplab-v2 -msc -size 321 -batch 10
  row "DeepLab-v3+ R101, 513², batch 16" -arch deeplab-v3plus -size 513 -batch 16
} | tee -a "$out"
