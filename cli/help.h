/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdbool.h>

/* Print the help, with the letters of disksum or of blksum. */
void help_print(bool blksum);

#endif
