/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a bitmap of an export records, from block status replies.
 */
#ifndef NBD_BITMAP_H
#define NBD_BITMAP_H

#include "common/changes.h"
#include "nbd/connection.h"

/* Make the changes of a bitmap that the connection has negotiated. The names
 * of the export and of the bitmap are for messages; all of it must live as long
 * as the changes. */
int nbd_bitmap_new(struct nbd_connection *connection,
                   const struct nbd_export *export, const char *name,
                   const char *bitmap, struct changes **changes,
                   struct error *error);

#endif
