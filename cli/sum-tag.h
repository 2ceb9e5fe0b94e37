/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands before the name in a tagged line:
 *
 *     BLKHASH-SHA256-64K         the checksum of disksum
 *     SHA256                     the digest of all bytes in one stream, plain,
 *                                as cksum writes it
 *     SHA256 snapshot=s1 member=disk1.vmdk offset=1048576 length=512
 *                                either of them, of a part of the image
 *
 * The parts are in this order, those that there are. Their texts are
 * percent-encoded, but for letters, digits and "._/:@+-".
 */
#ifndef CLI_SUM_TAG_H
#define CLI_SUM_TAG_H

#include <stdio.h>

#include "cli/sum.h"

/* block_size: 0 is plain. */
void sum_tag_write(FILE *f, const char *digest, size_t block_size,
                   const struct sum_part *part);

/*
 * Read a tag, which is changed. The digest may be one that the library does not
 * have. EINVAL: it is not a tag, and *why is the reason. ENOMEM. The sum is for
 * sum_clear(), whatever the result.
 */
int sum_tag_parse(char *text, struct sum *sum, const char **why);

#endif
