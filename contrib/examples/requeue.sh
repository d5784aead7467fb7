#!/bin/bash
# A map over as many jobs as it takes:  sbatch requeue.sh ./simulate {} ::: 1:1001
# Before the time of a job is over, or when Slurm takes the nodes away, what runs is let end, and the
# same job is put back into the queue; it goes on where it ended.  The output of the last one is whole.
#SBATCH --job-name=requeue
#SBATCH --nodes=2
#SBATCH --ntasks=4
#SBATCH --time=10
#SBATCH --requeue
#SBATCH --ipp-engines

ipp-run map --journal "map.$SLURM_JOB_ID.journal" --resume -- "$@"
code=$?

# 120: nothing is wrong, but there was no time left.
[ $code -ne 120 ] || scontrol requeue "$SLURM_JOB_ID"
exit $code
