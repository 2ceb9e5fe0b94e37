/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A listening unix socket in a directory of its own, which no other user can
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

/* Where the directories are made: $TMPDIR, or /tmp. */
const char *private_socket_parent(void);

/* 0 or a positive errno value. After an error nothing is left behind. */
int private_socket_make(struct private_socket *s);

/* Remove the path and the directory. The socket still listens, but can only be
 * reached through an open descriptor of its inode. Does nothing the second
 * time. */
void private_socket_unlink(struct private_socket *s);

#endif
