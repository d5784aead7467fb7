#!/bin/bash
# The same where the site has no plugin, or no PMIx:  sbatch by-hand.sh
# Controller, engines and clients find each other by a file that only you can read,
# ~/.slurm-ipp/JOBID.json, so your home must be shared by the nodes.
#SBATCH --job-name=by-hand
#SBATCH --nodes=2
#SBATCH --ntasks=4
#SBATCH --time=10

# In any order.  --overlap leaves the cores to other steps, --input=none leaves stdin to the script.
ipp-controller &
srun --mpi=none --overlap --input=none ipp-engine &
ipp-run wait

ipp-run ids
ipp-run loo

ipp-run stop
wait
