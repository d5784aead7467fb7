/* proto/unix_socket.h - abstract Unix sockets between processes of one user on one node.
 *
 * Anybody on the node can connect to an abstract name, or take one that is free, so both ends ask
 * the kernel (SO_PEERCRED) whether the other is the same user before a byte is believed. */
#ifndef IPP_PROTO_UNIX_SOCKET_H
#define IPP_PROTO_UNIX_SOCKET_H

#include <sys/types.h>

struct ipp_error;

/* Bind and listen on abstract `name` (without '@').  A non-blocking, close-on-exec descriptor
 * (gives) or -errno. */
int unix_listen(const char *name, struct ipp_error *err);

/* Connect to abstract `name`; the listener must be of our user.  A non-blocking, close-on-exec
 * descriptor (gives) or -errno: -ECONNREFUSED where nobody on this node listens there, -EAGAIN
 * where its queue stayed full for two seconds. */
int unix_connect(const char *name, struct ipp_error *err);

/* Whether the process at the other end of `fd` is of our user; its pid in *pid unless NULL.
 * 0, -EPERM or -errno. */
int unix_peer_is_ours(int fd, pid_t *pid);

#endif
