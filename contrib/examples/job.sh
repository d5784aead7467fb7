#!/bin/bash
# A batch script with engines:  sbatch job.sh
#SBATCH --job-name=loo
#SBATCH --nodes=2
#SBATCH --ntasks=4
#SBATCH --time=10
#SBATCH --ipp-engines

# All engines, one for each task, are ready before this line runs.
ipp-run ids
ipp-run apply -- echo "Hello, World"
ipp-run map -- expr {} '*' {} ::: 1 2 3 4 5

# Leave-one-out over 500 rows of the tutorial's data, on the same engines.
ipp-run loo --held-out 0:500 --out predictions.csv

# The job's own steps run beside the engines.
srun --label hostname
