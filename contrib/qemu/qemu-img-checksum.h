/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QEMU_IMG_CHECKSUM_H
#define QEMU_IMG_CHECKSUM_H

/* The command "qemu-img checksum". Returns the exit status. */
int img_checksum(int argc, char **argv);

#endif
