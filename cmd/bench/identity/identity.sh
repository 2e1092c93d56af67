#!/bin/sh
# Runs the demo's pipeline on a few small pictures with a wsss binary, and trains
# small networks of each kind, undisturbed and killed half-way; it prints the
# SHA-256 of every file and the scores. Two commits that compute the
# same print the same:
#   cmd/bench/identity/identity.sh old/wsss /tmp/old >old.txt
#   cmd/bench/identity/identity.sh new/wsss /tmp/new >new.txt && diff old.txt new.txt
# It takes about a minute on two cores. Of a checkpoint the tensors count, not the
# header, which names versions. Left out is what holds times or the folder: run.json, result.json, speed.jsonl, config.toml, reports, TensorBoard's events.
set -eu
wsss=$(realpath "$1")
repo=$(realpath "$(dirname "$0")/../../..")
mkdir -p "$2" && cd "$2"
rm -rf scenes whole killed run run-scenes

echo 'name = "identity"' >run.toml
run=
common="-config run.toml -quiet -backend go -set data.kind=scenes -set data.root=scenes -set data.train_split=train -set data.val_split=val
 -set data.options.train=24 -set data.options.val=6 -set data.options.min_size=48 -set data.options.max_size=64 -set data.options.seed=3"
net="-set train.labels=truth -set train.network.width=0.125 -set train.batch=2 -set train.augment.crop=49 -set train.checkpoint.every=4 -set train.checkpoint.val_every=6 -set train.compute.workers=2"

# one KIND OUT: the training of a kind into a folder.
one() {
	case $1 in
	v2) $run "$wsss" train $common $net -set out=$2 -set train.network.backbone=resnet50 -set train.iterations=10 -set train.optimizer.lr=0.003 -set train.network.batch_norm=train -set train.optimizer.ema=0.9 \
		-set train.checkpoint.tensorboard=true -set train.noise.bootstrap=0.2 -set train.noise.warmup=0.3 ;;
	v3plus) $run "$wsss" train $common $net -set out=$2 -set train.network.backbone=resnet18 -set train.iterations=16 -set train.network.arch=deeplab-v3plus \
		-set train.network.msc=false -set train.network.output_stride=16 -set train.network.stride_in=3x3 -set train.network.input=torch -set train.network.batch_norm=train \
		-set train.optimizer.name=adamw -set train.optimizer.lr=0.004 -set train.accumulate=1 -set train.batch=4 ;;
	multigrid) $run "$wsss" train $common $net -set out=$2 -set train.network.backbone=resnet18 -set train.iterations=6 -set train.network.arch=deeplab-v3plus-multigrid \
		-set train.network.msc=false -set train.network.output_stride=16 -set train.network.stride_in=3x3 -set train.network.input=torch -set train.network.batch_norm=train -set train.network.bn_momentum=0.2 -set train.optimizer.lr=0.01 ;;
	cam) $run "$wsss" train-classifier $common -set out=$2 -set classifier.network.backbone=resnet18 -set classifier.network.width=0.125 -set classifier.network.batch_norm=train \
		-set classifier.network.cut_after=0 -set classifier.epochs=4 -set classifier.batch=4 -set classifier.optimizer.lr=0.01 -set classifier.augment.crop=48 -set classifier.augment.long=[32,48] ;;
	cam-adamw) $run "$wsss" train-classifier $common -set out=$2 -set classifier.network.backbone=resnet50 -set classifier.network.width=0.0625 -set classifier.optimizer.name=adamw \
		-set classifier.epochs=3 -set classifier.batch=8 -set classifier.optimizer.lr=0.004 -set classifier.augment.crop=48 -set classifier.augment.long=[32,48] -set classifier.checkpoint.every=2 ;;
	clip) $run "$wsss" finetune-clip $common -set out=$2 -set finetune_clip.network.model=tiny-clip -set finetune_clip.network.head=text -set finetune_clip.loss.name=bce \
		-set finetune_clip.thresholds.calibrate=0.25 -set finetune_clip.thresholds.ensemble=0.5 -set finetune_clip.epochs=4 -set finetune_clip.batch=4 -set finetune_clip.optimizer.lr=0.001 ;;
	clip-softmax) $run "$wsss" finetune-clip $common -set out=$2 -set finetune_clip.network.model=tiny-clip -set finetune_clip.epochs=4 -set finetune_clip.batch=4 \
		-set finetune_clip.optimizer.lr=0.001 -set finetune_clip.optimizer.layer_decay=0.8 -set finetune_clip.optimizer.warm_up=1 -set finetune_clip.augment.name=strong ;;
	esac
}

# sum FILE: its SHA-256, of a checkpoint that of the tensors.
sum() {
	case $1 in
	*/step-*.safetensors) tail -c +$(($(od -An -tu8 -N8 "$1") + 9)) "$1" | sha256sum | cut -d' ' -f1 ;;
	*) sha256sum "$1" | cut -d' ' -f1 ;;
	esac
}

for kind in v2 v3plus multigrid cam cam-adamw clip clip-softmax; do
	one $kind whole/$kind >/dev/null
	(run=exec; one $kind killed/$kind) >/dev/null 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! find killed/$kind -name 'step-*' 2>/dev/null | grep -q .; do sleep 0.05; done
	kill -9 $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	one $kind killed/$kind >/dev/null
done
for kind in v2 v3plus multigrid; do
	"$wsss" export -checkpoint "$(find whole/$kind -name 'step-*' | sort | tail -1)" -out whole/$kind/net.onnx >/dev/null
	cp whole/$kind/net.onnx killed/$kind/net.onnx
done
for kind in v2 v3plus multigrid cam cam-adamw clip clip-softmax; do
	for of in whole killed; do
		(cd $of/$kind && find . -type f ! -name run.json ! -name config.toml ! -name result.json ! -name speed.jsonl ! -name 'report.*' ! -name '*tfevents*' ! -name '*.lock' ! -name '.*' |
			sort | while read -r file; do echo "$(sum "$file")  $kind/${file#./}"; done) >$of.txt
	done
	cat whole.txt
	diff whole.txt killed.txt >&2 || { echo "$kind: killed and undisturbed differ" >&2; exit 1; }
done

# Masks, sidecars, predictions and scores of a whole run; config.toml of the
# repository, as demo.toml beside the binary where that is of another commit.
demo=$(dirname "$wsss")/demo.toml
[ -f "$demo" ] || demo=$repo/configs/demo.toml
"$wsss" run -config "$demo" -backend go -quiet -set out=run -set data.root=run-scenes -set data.options.train=12 -set data.options.val=4 \
	-set data.options.min_size=64 -set data.options.max_size=72 -set train.init= -set train.width=0.25 -set train.crop=65 -set train.batch=2 \
	-set train.iterations=8 -set train.checkpoint_every=4 -set eval.train_split=true >run.txt 2>/dev/null
(cd run && find gen compare predictions -type f ! -name run.json ! -name speed.json ! -name predictions.json ! -name '.*' -exec sha256sum {} + | sort -k2)
sed -n 's/ *[^ ]*$//p' run.txt # without images/s
