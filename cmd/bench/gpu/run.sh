#!/usr/bin/env bash
# Training steps of DeepLab and inference of SAM's and CLIP's encoders on one
# NVIDIA GPU, wsss on xla:cuda beside PyTorch (bf16 autocast, channels last, with
# and without torch.compile) in one run:
#
#   cmd/bench/gpu/run.sh [results.md]
#   SMOKE=1 cmd/bench/gpu/run.sh /tmp/smoke.md      tiny networks on the CPU: does it run?
#
# Needs Go 1.26, the CUDA plug-in of XLA (`wsss doctor -install xla:cuda`, or
# GOMLX_BACKEND naming one) and a Python with a CUDA build of PyTorch ($PYTHON).
# Use of the GPU is sampled once a second while each row runs.
set -euo pipefail
cd "$(dirname "$0")/../../.."
export GOEXPERIMENT=simd
out=${1:-bench-gpu.md}
engine=${GOMLX_BACKEND:-xla:cuda}
engines="torch-cuda,torch-cuda-compile,$engine"
foundation="torch-cuda,torch-cuda-bf16,torch-cuda-compile,$engine"
steps=20
if [ -n "${SMOKE:-}" ]; then
  engine=go engines=torch,go foundation=torch,go steps=1
  nvidia-smi() { if [ "$1" = --query-gpu=name,driver_version,memory.total ]; then echo "no GPU"; else exec sleep 1000; fi; }
fi

command -v nvidia-smi >/dev/null || { echo "cmd/bench/gpu: no nvidia-smi: this needs an NVIDIA GPU"; exit 1; }
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/" ./cmd/bench

{
  echo "# wsss beside PyTorch on a GPU"
  echo
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  go list -m github.com/gomlx/gomlx github.com/gomlx/go-xla
  echo "commit $(git rev-parse --short HEAD)"
} | tee "$out"

row() { # title, program, flags
  echo; echo "## $1"; echo
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits -l 1 > "$bin/use.csv" &
  local sampler=$!
  "$bin/bench" "$2" "${@:3}"
  kill "$sampler"; wait "$sampler" 2>/dev/null || true
  awk -F, '$1 > 0 { n++; u += $1 } $2 > m { m = $2 } END { if (n) printf "\nGPU use while busy %.0f %%, peak memory in use %.1f GiB (all engines)\n", u / n, m / 1024 }' "$bin/use.csv"
}
train() { row "$1" deeplab -engines "$engines" -steps "$steps" -rounds 2 "${@:2}"; }
infer() { row "$1" foundation -engines "$foundation" -runs "$steps" -rounds 2 "${@:2}"; }

if [ -n "${SMOKE:-}" ]; then
  {
    train "DeepLab-v2, tiny" -arch deeplab-v2 -msc -size 65 -batch 2 -width 0.05
    train "DeepLab-v3+, tiny, bf16, recomputed" -arch deeplab-v3plus -size 65 -batch 2 -width 0.05 -precision bf16 -recompute 4
    infer "SAM and CLIP, tiny" -models tiny-sam,tiny-clip
  } | tee -a "$out"
  exit
fi
{
  for precision in tf32 bf16; do
    train "DeepLab-v2 R101, 321², batch 10, $precision" -arch deeplab-v2 -size 321 -batch 10 -precision $precision
    train "DeepLab-v2 R101, 321², batch 10, MSC, $precision" -arch deeplab-v2 -msc -size 321 -batch 10 -precision $precision
    train "DeepLab-v3+ R101, 513², batch 16, $precision" -arch deeplab-v3plus -size 513 -batch 16 -precision $precision
  done
  engines=$engine train "DeepLab-v3+ R101, 513², batch 16, bf16, recomputed" -arch deeplab-v3plus -size 513 -batch 16 -precision bf16 -recompute 4
  infer "SAM ViT-B encoder" -models sam-encoder
  infer "SAM ViT-H encoder" -models sam-h
  infer "CLIP ViT-B/16" -models clip
} | tee -a "$out"
