/* engine/exits.h - what an engine's exit code tells its guard. */
#ifndef IPP_ENGINE_EXITS_H
#define IPP_ENGINE_EXITS_H

enum engine_exit {
	EXIT_ENGINE_GOODBYE = 0, /* the cluster ended by intention */
	EXIT_ENGINE_LEFT = 3,	 /* it was part of a cluster and cannot go on, and has said why */
	EXIT_ENGINE_OURS = 125,	 /* it never was part of a cluster, and has said why */
};

#endif
