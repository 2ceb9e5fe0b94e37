/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/name-list.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int name_list_add(struct name_list *list, const char *name)
{
    char **names = realloc(list->names, (list->count + 2) * sizeof(*names));
    char *copy = strdup(name);

    if (names)
        list->names = names;
    if (!names || !copy) {
        free(copy);
        return ENOMEM;
    }
    for (char *p = copy; *p; p++)
        *p = tolower((unsigned char)*p);
    names[list->count++] = copy;
    names[list->count] = NULL;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void name_list_sort(struct name_list *list)
{
    size_t kept = 0;

    if (list->count == 0)
        return;
    qsort(list->names, list->count, sizeof(char *), compare_names);
    for (size_t i = 0; i < list->count; i++) {
        char *name = list->names[i];

        if (kept && strcmp(list->names[kept - 1], name) == 0)
            free(name);
        else
            list->names[kept++] = name;
    }
    list->count = kept;
    list->names[kept] = NULL;
}

void name_list_clear(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct name_list){ .count = 0 };
}
