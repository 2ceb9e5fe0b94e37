/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QEMU_IMG_CHECKSUM_FILES_H
#define QEMU_IMG_CHECKSUM_FILES_H

/*
 * Find the local files of all images that are open, and their lengths. Returns
 * -EIO, after it reported it, if one became shorter since QEMU opened it. Free
 * @files in either case.
 */
int checksum_files_find(GArray **files);

/* Returns 0, or -EIO after it reported a file that became shorter. */
int checksum_files_check(GArray *files);

void checksum_files_free(GArray *files);

#endif
