#!/bin/bash
# An array of six over three nodes of a real Slurm on this machine: a task is
# requeued, a node dies with all that runs there, and the labels are those of one
# process. Needs root and Debian's slurmctld, slurmd, slurm-client, munge.
#
#   docs/cluster/slurm_test.sh bin/wsss [IMAGES]
set -eu
wsss=$(realpath "$1") images=${2:-300}
for need in slurmctld slurmd munged sbatch; do
    PATH=$PATH:/usr/sbin command -v $need >/dev/null || { echo "skipped: no $need (apt-get install slurmctld slurmd slurm-client munge)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: Slurm's daemons need root here"; exit 0; }
export PATH=$PATH:/usr/sbin
dir=$(mktemp -d /tmp/wsss-slurm-XXXXXX)
chmod 755 "$dir"
export SLURM_CONF=$dir/slurm.conf
daemons=()
end() {
    scancel --user=root 2>/dev/null || true
    kill "${daemons[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT

host=$(hostname -s) port=$((20000 + RANDOM % 20000))
dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 status=none
chmod 600 "$dir/munge.key"
mkdir -m 755 "$dir/munge"
munged --foreground --force --key-file="$dir/munge.key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" 2>"$dir/munged.err" &
daemons+=($!)
cat >"$SLURM_CONF" <<END
ClusterName=wsss
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmdLogFile=$dir/slurmd-%n.log
SlurmdSpoolDir=$dir/spool-%n
SlurmdTimeout=10
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2
RequeueExit=130
ReturnToService=0
MinJobAge=3600
KillWait=5
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=2 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=2 State=UNKNOWN
NodeName=n3 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 3)) CPUs=2 State=UNKNOWN
PartitionName=all Nodes=n1,n2,n3 Default=YES MaxTime=60 State=UP
END
mkdir "$dir/state" "$dir"/spool-n{1,2,3}
slurmctld -D >"$dir/slurmctld.out" 2>&1 &
daemons+=($!)
declare -A node
for n in n1 n2 n3; do
    slurmd -D -N $n >"$dir/slurmd-$n.out" 2>&1 &
    daemons+=($!)
    node[$n]=$!
done
until [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null)" = 3 ]; do
    [ $SECONDS -lt 60 ] || { echo "Slurm did not start:"; tail -5 "$dir"/*.log "$dir"/*.out "$dir/munged.err"; exit 1; }
    sleep 1
done
echo "$(slurmctld -V): three nodes are idle"

cat >"$dir/my.toml" <<END
[data]
kind = "scenes"
root = "$dir/scenes"
train_split = "train"
[data.options]
train = $images
val = 1
[gen]
method = "grabcut"
weak = "boxes"
workers = 1
END
began=$SECONDS
"$wsss" gen -quiet -config "$dir/my.toml" -set out="$dir/one"
echo "one process: $images images, $((SECONDS - began)) s"

began=$SECONDS
job=$(sbatch --parsable --array=0-5 --requeue --cpus-per-task=1 --chdir="$dir" --output="$dir/log-%a" --wrap \
    "exec $wsss gen -quiet -config $dir/my.toml -set out=$dir/many -job slurm-\$SLURM_ARRAY_JOB_ID -lease 5s")
done_of() { find "$dir/many/gen" -name '*.png' 2>/dev/null | wc -l; }
until [ "$(done_of)" -gt $((images / 10)) ]; do sleep 0.2; done
scontrol requeue "${job}_1"
echo "at $(done_of) images: task 1 is requeued"
until [ "$(done_of)" -gt $((images / 4)) ]; do sleep 0.2; done
# A node that loses power: its daemon and all that runs on it are gone at once.
dead=$(grep -lz '^SLURMD_NODENAME=n3' /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true)
steps=$(for p in $dead; do ps -o ppid= --pid "$p"; done | xargs -rn1 ps -o pid=,comm= --pid | awk '$2 ~ /slurmstepd/ {print $1}')
{ kill -9 "${node[n3]}" $steps $dead; wait "${node[n3]}"; } 2>/dev/null || true
echo "at $(done_of) images: node n3 dies, with $(echo "$dead" | wc -w) processes"
while squeue --noheader --job="$job" --states=all --format=%T | grep -vqE 'COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL'; do
    [ $((SECONDS - began)) -lt 600 ] || { squeue --states=all; tail -3 "$dir"/log-*; exit 1; }
    sleep 1
done
echo "array of six: $((SECONDS - began)) s; its tasks: $(squeue --noheader --job="$job" --states=all --format=%T | sort | uniq -c | xargs)"
"$wsss" gen -config "$dir/my.toml" -set out="$dir/many" -status | grep -v '^backend'
diff -r --exclude=run.json --exclude=speed.json --exclude='.*' "$dir/one/gen" "$dir/many/gen"
echo "labels and sidecars: $(find "$dir/one/gen" -type f ! -name '.*' ! -name run.json ! -name speed.json | wc -l), none differs"
