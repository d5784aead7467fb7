/* controller/door.h - the listening sockets, and peers that have not proved who they are.
 *
 * On the Unix socket a peer proves itself by its uid; over TLS by a certificate that is known.  It
 * gets little memory and little time to do so.  Thread: loop thread only. */
#ifndef IPP_CONTROLLER_DOOR_H
#define IPP_CONTROLLER_DOOR_H

struct cluster;
struct door;
struct ipp_error;

/* Open for all of the cluster's setup (gives; borrows `cluster`), or NULL and the reason. */
struct door *door_open(struct cluster *cluster, struct ipp_error *err);
void door_close(struct door *door); /* NULL is fine; unproven peers are dropped */

#endif
