/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All users of the host can see the arguments of qemu-nbd, so there must be no
 * secrets in them. A password in a URL, or a secret in an option or an object,
 * becomes an object that QEMU reads from a pipe that it inherits.
 */
#ifndef QEMU_SECRETS_H
#define QEMU_SECRETS_H

#include "qemu/qemu.h"

struct qemu_secrets {
    struct qemu_options options; /* what QEMU is told instead */
    char *text;                  /* of these options, */
    char **objects;              /*     and likewise */
    size_t object_count;
    int *fds; /* the pipes, which the server inherits */
    size_t fd_count;
};

/* Take the secrets out of options, which must outlive the result. It is an
 * error if that cannot be done. */
int qemu_secrets_take(struct qemu_secrets *secrets,
                      const struct qemu_options *options, struct error *error);

void qemu_secrets_free(struct qemu_secrets *secrets);

#endif
