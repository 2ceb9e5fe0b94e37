/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Credentials for nbds:// as QEMU takes them: --object tls-creds-x509,... and
 * tls-creds-psk,...
 */
#ifndef QEMU_TLS_OBJECT_H
#define QEMU_TLS_OBJECT_H

#include <stddef.h>

#include "nbd/nbd.h"

/*
 * Set the TLS options from the credentials among the objects, if there are any.
 * Wrong ones are not an error yet, since they may be meant for QEMU only:
 * tls_problem says what is wrong. 0 or ENOMEM. Free with tls_objects_free().
 */
int tls_objects_parse(char *const *objects, size_t count,
                      struct nbd_options *nbd);
void tls_objects_free(struct nbd_options *nbd);

#endif
