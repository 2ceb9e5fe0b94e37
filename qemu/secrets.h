/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments are seen by all users of the host, so there are no secrets in those
 * of qemu-nbd. A password in a URL, or a secret in an option or an object,
 * becomes an object that QEMU reads from a pipe which it inherits.
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

/* Take the secrets out of the options, which must outlive them. What cannot be
 * said without them is an error. */
int qemu_secrets_take(struct qemu_secrets *secrets,
                      const struct qemu_options *options, struct error *error);

void qemu_secrets_free(struct qemu_secrets *secrets);

#endif
