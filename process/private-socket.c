/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/private-socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *private_socket_parent(void)
{
    const char *parent = getenv("TMPDIR");

    return parent && *parent ? parent : "/tmp";
}

static int make_directory(struct private_socket *s)
{
    int n = snprintf(s->path, sizeof(s->path), "%s/disksum-XXXXXX/socket",
                     private_socket_parent());

    if (n < 0 || (size_t)n >= sizeof(s->path))
        return ENAMETOOLONG;
    *strrchr(s->path, '/') = '\0';
    if (!mkdtemp(s->path))
        return errno;
    strcpy(s->directory, s->path);
    strcat(s->path, "/socket");
    return 0;
}

static int bind_socket(struct private_socket *s)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(address.sun_path, s->path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 ||
        bind(s->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(s->fd, SOMAXCONN) != 0)
        return errno;
    return 0;
}

int private_socket_make(struct private_socket *s)
{
    int err;

    *s = (struct private_socket){ .fd = -1 };
    err = make_directory(s);
    if (!err)
        err = bind_socket(s);
    if (err) {
        private_socket_unlink(s);
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
    }
    return err;
}

void private_socket_unlink(struct private_socket *s)
{
    if (!*s->directory)
        return;
    unlink(s->path);
    rmdir(s->directory);
    *s->directory = '\0';
}
