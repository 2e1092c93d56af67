#!/bin/sh
# Prints the help of every command of a wsss binary, and what the commands that
# train nothing say and write on a few generated pictures. Two commits with the
# same flags, texts and files print the same:
#   cmd/bench/identity/commands.sh old/wsss /tmp/old >old.txt
#   cmd/bench/identity/commands.sh new/wsss /tmp/new >new.txt && diff old.txt new.txt
# It takes about half a minute on two cores; identity.sh does the same for what trains.
set -u
wsss=$(realpath "$1")
repo=$(realpath "$(dirname "$0")/../../..")
mkdir -p "$2" && cd "$2"
rm -rf ./*
export WSSS_MODELS="$PWD/models" # nothing is here
unset ONNXRUNTIME_SHARED_LIBRARY_PATH WSSS_XLA

# say ARGS: a call with its exit code, and what it prints less times and speeds.
say() {
	echo "== wsss $*"
	"$wsss" "$@" >out.txt 2>&1 </dev/null
	echo "exit $?"
	sed -e "s,$PWD,.,g" -e 's/ in [0-9.]*[mµ]*s ([^)]*)//' -e 's/ *[0-9.]*$//' -e 's/took [0-9a-z.]*/took/' -e 's/wsss-fault-[0-9]*/wsss-fault/' out.txt
}
# sums DIR: the files below it.
sums() { (cd "$1" && find . -type f ! -name '.*' ! -name speed.json ! -name run.json | sort | xargs sha256sum); }

for command in "" init run gen train eval predict export import review report ablate table train-classifier train-irn finetune-clip data models licenses doctor version; do
	[ "$command" = version ] || say $command -h
	say $command -no-such-flag
done
for tool in validate weaken export convert scenes openimages; do say data $tool -h; say data $tool -x; say data $tool; done
for tool in list pull verify inspect parity; do say models $tool -h; say models $tool -x; done
say nothing; say dtaa; say data wekaen; say models pul; say eval -config none.toml; say gen -config "$repo/configs/demo.toml" -set gen.methd=x

say data scenes -quiet -out scenes -train 8 -val 4 -min-size 48 -max-size 64 -classes 3 -seed 5
sums scenes
say data validate -quiet -kind voc -root scenes
say data weaken -quiet -kind voc -root scenes -split train -out weak -format csv
say data weaken -quiet -kind voc -root scenes -split train -out weak -format csv -seed 9
say data weaken -quiet -kind voc -root scenes -split train -out weak-voc -format voc
say data weaken -quiet -kind voc -root scenes -split train -out weak-json -format json -kinds boxes
say data weaken -kind voc -root scenes -out w -kinds stars
say data weaken -kind voc -root scenes -out w -format xml
say data weaken -out w -masks scenes/SegmentationClass
sums weak; sums weak-voc; sums weak-json
mkdir -p mine/images && cp scenes/JPEGImages/*.jpg mine/images && cp weak/*.csv weak/classes.txt mine
for to in coco yolo cvat labelme labelstudio csv json voc; do
	say data convert -quiet -root mine -to $to -out convert-$to
	sums convert-$to
done
say data convert -quiet -root mine -to coco -out mine
say data convert -quiet -root mine -to x -out y
say data export -quiet -kind voc -root scenes -split val -format coco,yolo,cvat,labelme,overlay -out export
say data export -quiet -masks scenes/SegmentationClass -classes mine/classes.txt -images scenes/JPEGImages -format coco,overlay -tolerance 1 -out export2
say data export -quiet -masks scenes/SegmentationClass -classes mine/classes.txt -format overlay -out export3
say data export -quiet -masks scenes/SegmentationClass -classes mine/classes.txt -images scenes/JPEGImages -format nothing -out export3
say data export -quiet -kind voc -root scenes
sums export; sums export2

mkdir -p photos masks/images masks/masks && cp scenes/JPEGImages/*.jpg photos
for id in $(ls scenes/SegmentationClass | sed 's/.png//'); do cp scenes/JPEGImages/$id.jpg masks/images; cp scenes/SegmentationClass/$id.png masks/masks; done
say init mine; cat mine.toml
say init mine
say init -weak points -out points.toml mine; cat points.toml
say init -weak stars -out x.toml mine
say init photos
say init -classes ball,cat photos; cat photos.toml
say init -classes ball,cat -weak boxes -out draw.toml photos; cat draw.toml
say init masks; cat masks.toml
say init -classes a,b,c -out named.toml masks; cat named.toml
say init -out scenes.toml scenes; cat scenes.toml
say init -classes x,x photos
say init nowhere
say run -config mine.toml -dry-run -backend go
say gen -quiet -config mine.toml -backend go
say eval -quiet -config mine.toml -backend go -only pseudo-labels
sums runs/mine/gen

say predict -quiet -method grabcut -labels weak/boxes.csv -out labels -format png,overlay,coco,yolo,csv,json -backend go photos
say predict -quiet -method grabcut -weak points -out labels2 -format png,labelme mine
say predict -quiet -method grabcut -weak points -out labels2 -format png,labelme mine
say predict -quiet -method grabcut -out labels3 photos
say predict -quiet -method grabcut -weak stars mine
say predict -quiet -method nothing mine
say predict -quiet -method grounded-sam mine
say predict -quiet -method grabcut -scales 2 mine
say predict -quiet -method grabcut -set train.batch=3 mine
say predict -quiet -method sam -labels weak/boxes.csv -set gen.options.sam=tiny-sam -out labels4 -backend go photos
say predict -quiet -method grabcut -labels weak/boxes.csv -out masks/masks -format png masks/masks
say predict -quiet -checkpoint none.safetensors photos
echo text >broken.jpg
say predict -quiet -method grounded-sam -set gen.options.sam=tiny-sam -set gen.options.gdino=tiny-gdino -classes ball,box -out labels5 -backend go scenes/JPEGImages/*1.jpg broken.jpg
sums labels; sums labels2; sums labels4; sums labels5

net="-set out=runs/net -backend go -quiet -set data.kind=voc -set data.root=scenes -set data.train_split=train -set data.val_split=val -set train.labels=truth
 -set train.network.width=0.125 -set train.network.backbone=resnet18 -set train.batch=2 -set train.augment.crop=49 -set train.iterations=4 -set train.network.batch_norm=train -set train.checkpoint.every=2"
echo 'name = "net"' >net.toml
say train -config net.toml $net
say train -config net.toml $net
say predict -quiet -backend go -checkpoint runs/net/train/bound -out seen -format png,overlay,coco,cvat -scales 0.75,1 -flip scenes/JPEGImages
say predict -quiet -backend go -checkpoint runs/net/train/bound -out seen2 -tile 64 -max-side 60 -crf scenes/JPEGImages broken.jpg
say predict -quiet -backend go -checkpoint runs/net/train/bound -out seen3 -bucket 900 scenes/JPEGImages
say predict -quiet -backend go -checkpoint runs/net/train/bound -out seen3 -scales x scenes/JPEGImages
say predict -quiet -backend go -checkpoint runs/net/train/bound -out seen3 -tile 9 scenes/JPEGImages
sums seen; sums seen2
say export -checkpoint runs/net/train/bound -out net.onnx
say export -checkpoint runs/net/train/bound -out net.pb
say models inspect net.onnx
say models inspect -set train.network.width=0.125 -set train.network.backbone=resnet18 -classes 4 "$(find runs/net/train -name 'step-*' | sort | tail -1)"
say models list; say models verify; say models pull nothing
say eval -config net.toml $net
