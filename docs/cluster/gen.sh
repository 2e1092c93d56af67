#!/bin/bash
#SBATCH --job-name=wsss-gen
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem=4G
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --output=logs/%x-%A-%a.log

# Slurm asks for a clean stop with SIGTERM before it kills; exec passes it on.
exec ./wsss gen -config my.toml -quiet \
    -set gen.workers="$SLURM_CPUS_PER_TASK" \
    -job "slurm-$SLURM_ARRAY_JOB_ID"
