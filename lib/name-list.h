/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_NAME_LIST_H
#define LIB_NAME_LIST_H

#include <stddef.h>

#include "lib/names.h"

/* A list of names. Initialized with zeros. */
struct name_list {
    char **names; /* owned, with a NULL at the end; NULL: none */
    size_t count;
};

/* Add a copy in lower case. 0 or ENOMEM. */
int name_list_add(struct name_list *list, const char *name);

/* Sort the names, and remove duplicates. */
void name_list_sort(struct name_list *list);

/* Free the names; the list is empty again. */
void name_list_clear(struct name_list *list);

#endif
