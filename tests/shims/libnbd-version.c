/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: libnbd says that it is of the version LIBNBD_VERSION.
 */
#include <stdlib.h>

const char *nbd_get_version(void *handle);

const char *nbd_get_version(void *handle)
{
    (void)handle;
    return getenv("LIBNBD_VERSION");
}
