/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that are members of a tar archive, such as the disks of an appliance
 * (OVA).
 */
#ifndef IMAGE_MEMBER_H
#define IMAGE_MEMBER_H

#include "common/error.h"
#include "reader/reader.h"

/* Let *reader, which has the archive, read the member instead. Its name is that
 * of both. *name: that of the member, for free(). */
int member_open(struct reader **reader, const char *member, char **name,
                struct error *error);

/* Set the error for an appliance that is given as an image. name is that of the
 * image; is_member: it is in an archive itself. */
int member_refuse_ova(struct reader *reader, const char *name, bool is_member,
                      struct error *error);

#endif
