/* spank/allocator.h - in sbatch and salloc. */
#ifndef IPP_SPANK_ALLOCATOR_H
#define IPP_SPANK_ALLOCATOR_H

struct arguments;

/* --ipp-engines was typed: fine for sbatch, refused for salloc.  0 or -1, having said why. */
int allocator_asked(const struct arguments *arguments);

#endif
