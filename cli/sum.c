/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sum.h"

#include <stdlib.h>

void sum_clear(struct sum *sum)
{
    free(sum->name);
    sum->name = NULL;
    sum_part_clear(&sum->part);
}
