/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A unix socket that listens in a private directory, which only its owner can
 * enter.
 */
#ifndef PROCESS_PRIVATE_SOCKET_H
#define PROCESS_PRIVATE_SOCKET_H

#include <sys/un.h>

struct private_socket {
    int fd;
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Where such directories are made: $TMPDIR, or /tmp. */
const char *private_socket_parent(void);

/* 0 or a positive errno value; then nothing is left. */
int private_socket_make(struct private_socket *s);

/* The socket can be reached no longer, but listens on. Does nothing the second
 * time. */
void private_socket_remove_name(struct private_socket *s);

#endif
