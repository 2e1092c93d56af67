#!/usr/bin/env bash
# What wsss does on the NVIDIA GPUs of a machine, in twelve minutes: training steps
# of DeepLab (v2, MSC, v3+; float32 as TF32, bf16; one and all GPUs; onnx:cuda), SAM's, CLIP's
# and Grounding-DINO's networks, beside PyTorch (bf16 autocast, channels last, with
# and without torch.compile), whole stages in images/s, and whether two trainings
# with deterministic = true end with the same bytes.
#
#   cmd/bench/gpu/run.sh [results.md]
#   SMOKE=1 cmd/bench/gpu/run.sh /tmp/smoke.md      tiny networks on xla:cpu: does it run?
#
# Results are written row by row, the most telling first, so that they can be read
# when the script is cut short. A row that fails, or for which no time is left
# ($BUDGET seconds in all), says so, and the next one follows.
#
# Needs Go 1.27, the CUDA plug-in of XLA (`wsss doctor -install xla:cuda`, or
# GOMLX_BACKEND naming one); PyTorch's rows need a Python with a CUDA build of it
# ($WSSS_TORCH), foundation models one that exports them. Without, these are left
# out. Use of the GPU is sampled once a second while each row runs.
set -uo pipefail
cd "$(dirname "$0")/../../.."
export GOEXPERIMENT=simd
out=${1:-bench-gpu.md}
begin=$SECONDS
budget=${BUDGET:-700}
engine=${GOMLX_BACKEND:-xla:cuda}
export PYTHON=${WSSS_TORCH:-python3}
gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ')
steps=20 torch=torch-cuda,torch-cuda-compile, infertorch=torch-cuda,torch-cuda-bf16,torch-cuda-compile,
if [ -n "${SMOKE:-}" ]; then
  budget=${BUDGET:-3600} engine=xla:cpu gpus=2 steps=1 torch=torch, infertorch=torch,
  export XLA_FLAGS="${XLA_FLAGS:-} --xla_force_host_platform_device_count=2"
elif [ "$gpus" = 0 ]; then
  echo "cmd/bench/gpu: no GPU: nvidia-smi lists none"; exit 1
fi
"$PYTHON" -c 'import torch' 2>/dev/null || torch= infertorch=

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/" ./cmd/bench ./cmd/wsss || exit 1
say() { echo "$@" | tee -a "$out"; }

: > "$out"
say "# wsss on $([ -n "${SMOKE:-}" ] && echo "xla:cpu, a smoke test" || nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | sort | uniq -c | sed 's/^ *//' | paste -sd';')"
say
say "commit $(git rev-parse --short HEAD), $(go list -m github.com/gomlx/gomlx github.com/gomlx/go-xla | paste -sd,), $(nproc) CPUs, $(date -u +%F)"

# row TITLE COMMAND…: its standard output is the row, and of its notes the seconds
# of first updates and the compilations.
row() {
  local title=$1 left=$((budget - SECONDS + begin)) start=$SECONDS sampler= rc
  shift
  say; say "## $title"; say
  if [ "$left" -lt 20 ]; then say "left out: no time is left"; return; fi
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits -l 1 > "$work/use.csv" 2>/dev/null & sampler=$!
  fi
  timeout "$left" "$@" 2> "$work/notes" | tee -a "$out"
  rc=${PIPESTATUS[0]}
  if [ -n "$sampler" ]; then
    kill "$sampler" 2>/dev/null; wait "$sampler" 2>/dev/null
    awk -F, '$1 > 0 { n++; u += $1 } $2 > m { m = $2 } END { if (n) printf "\nGPU use while busy %.0f %%, peak memory in use %.1f GiB (all engines)\n", u / n, m / 1024 }' "$work/use.csv" | tee -a "$out"
  fi
  grep -aE 'first update|compiled for|[0-9]/s\)' "$work/notes" | sed 's/^/- /' | sort -u | tee -a "$out"
  case $rc in
    0) ;;
    124) say "cut short after $left s" ;;
    *) say "failed ($rc): $(tail -n 1 "$work/notes")" ;;
  esac
  say "($((SECONDS - start)) s)"
}
train() { row "$1" "$work/bench" deeplab -engines "${peers-$torch}$engine" -steps "$steps" -rounds 1 "${@:2}"; }
infer() { # title, networks
  if [ -z "$infertorch" ]; then say; say "## $1"; say; say "left out: \$WSSS_TORCH names no Python with PyTorch, which exports it"; return; fi
  row "$1" "$work/bench" foundation -engines "$infertorch$engine" -runs "$steps" -rounds 1 "${@:2}"
}

# twice runs a training twice from its start and compares the last checkpoints.
twice() {
  local k
  for k in 1 2; do
    rm -rf "$work/run/train/pseudo"
    "$@" > /dev/null && mv "$work/run/train/pseudo/step-00000003.safetensors" "$work/$k.safetensors" || return
  done
  cmp "$work/1.safetensors" "$work/2.safetensors" && echo "the same bytes" || return
  mv "$work/2.safetensors" "$work/run/train/pseudo/step-00000003.safetensors"
}
export work; export -f twice

# Whole stages on generated pictures: labels by SAM, three updates, label maps of
# the validation split at one scale and at three with their mirror images.
stages() { # pictures, least and most pixels, backbone, width, devices, batch, crop
  local run=("$work/wsss") keys=(-backend "$engine" -set "out=$work/run" -set data.kind=scenes -set "data.root=$work/scenes"
    -set "data.options.train=$1" -set "data.options.val=$1" -set "data.options.min_size=$2" -set "data.options.max_size=$3"
    -set data.train_split=train -set data.val_split=val -set gen.method=sam -set gen.weak=boxes -set gen.options.sam=tiny-sam -set gen.options.crop=true
    -set "train.network.arch=deeplab-v3plus" -set "train.network.backbone=$4" -set "train.network.width=$5" -set train.network.output_stride=16 -set train.network.stride_in=3x3
    -set train.network.input=torch -set train.network.batch_norm=train -set train.network.msc=false -set "train.batch=$7" -set train.accumulate=1 -set "train.augment.crop=$8"
    -set train.iterations=3 -set train.bound=false -set 'train.network.init=""')
  printf 'seed = 1\n' > "$work/stages.toml"
  row "Stage gen, tiny SAM from boxes, $1 pictures, $6 devices" "${run[@]}" gen -config "$work/stages.toml" "${keys[@]}" -devices "$6"
  row "Stage train, three updates of $4" "${run[@]}" train -config "$work/stages.toml" "${keys[@]}"
  row "Train twice with deterministic = true, three updates of $4: the same bytes?" bash -c 'twice "$@"' twice "${run[@]}" train -config "$work/stages.toml" "${keys[@]}" -set deterministic=true
  row "Stage eval, $4, $1 pictures" "${run[@]}" eval "${keys[@]}" -checkpoint "net=$work/run/train/pseudo" -devices "$6"
  row "Stage eval, $4, $1 pictures, three scales and flip" "${run[@]}" eval "${keys[@]}" -checkpoint "multi=$work/run/train/pseudo" -devices "$6" -set 'eval.scales=[0.75,1.0,1.25]' -set eval.flip=true
}

if [ -n "${SMOKE:-}" ]; then
  train "DeepLab-v2, tiny" -arch deeplab-v2 -msc -size 65 -batch 2 -width 0.05
  peers= train "DeepLab-v3+, tiny, bf16, recomputed, two devices" -arch deeplab-v3plus -size 65 -batch 4 -width 0.05 -precision bf16 -recompute 4 -devices 2
  stages 6 96 128 resnet18 0.125 2 4 65
  infer "SAM and CLIP, tiny" -models tiny-sam,tiny-clip
  row "Retrieval, its stages, tiny" "$work/bench" retrieve -backend "$engine" -n 2 -masks 20 -features models/resnet/tiny/resnet18_w025_scenes.safetensors -proposals grabcut
else
  train "DeepLab-v2 R101, 321², batch 10, MSC, bf16" -arch deeplab-v2 -msc -size 321 -batch 10 -precision bf16
  train "DeepLab-v3+ R101, 513², batch 16, bf16" -arch deeplab-v3plus -size 513 -batch 16 -precision bf16
  stages 200 320 500 resnet101 1 "$gpus" 16 321
  infer "SAM ViT-B encoder" -models sam-encoder
  infer "CLIP ViT-B/16" -models clip
  row "Retrieval, its stages" "$work/bench" retrieve -backend "$engine" -n 20 -features dinov2-small,dinov2-base -proposals grabcut,sam2.1-tiny
  if [ "$gpus" -gt 1 ]; then
    peers= train "DeepLab-v3+ R101, 513², batch $((16 * gpus)), bf16, $gpus GPUs" -arch deeplab-v3plus -size 513 -batch $((16 * gpus)) -precision bf16 -devices "$gpus"
  fi
  peers= train "DeepLab-v2 R101, 321², batch 10, MSC, tf32" -arch deeplab-v2 -msc -size 321 -batch 10 -precision tf32
  peers= train "DeepLab-v3+ R101, 513², batch 16, tf32" -arch deeplab-v3plus -size 513 -batch 16 -precision tf32
  infer "Grounding-DINO Swin-T" -models gdino
  infer "SAM ViT-H encoder" -models sam-h
  engine=onnx:cuda peers= train "DeepLab-v2 R101, 321², batch 10, float32, ONNX Runtime (its own convolutions)" -arch deeplab-v2 -size 321 -batch 10
  peers= train "DeepLab-v2 R101, 321², batch 10, bf16" -arch deeplab-v2 -size 321 -batch 10 -precision bf16
  peers= train "DeepLab-v3+ R101, 513², batch 16, bf16, recomputed" -arch deeplab-v3plus -size 513 -batch 16 -precision bf16 -recompute 4
fi
say; say "$((SECONDS - begin)) s in all"
