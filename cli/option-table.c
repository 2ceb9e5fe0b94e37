/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/option-table.h"

#include <assert.h>

#include "cli/option-set.h"

/* getopt_long() returns the number of a long option plus this, which is more
 * than any letter. */
#define LONG_OPTION 256

static bool is_taken(const struct option_info *info)
{
    return !option_set.takes || option_set.takes(info);
}

const struct option_info *option_at(size_t n)
{
    for (size_t i = 0; i < option_set.count; i++) {
        const struct option_group *group = option_set.groups[i];

        for (size_t k = 0; k < group->count; k++) {
            if (is_taken(&group->options[k]) && n-- == 0)
                return &group->options[k];
        }
    }
    return NULL;
}

static bool is_letter_of_blksum(char letter)
{
    const struct option_info *info;

    for (size_t n = 0; (info = option_at(n)) != NULL; n++) {
        if (info->blksum_letter == letter)
            return true;
    }
    return false;
}

char option_letter(const struct option_info *info, bool blksum)
{
    if (!blksum)
        return info->letter;
    if (info->blksum_letter)
        return info->blksum_letter;
    return is_letter_of_blksum(info->letter) ? 0 : info->letter;
}

int option_argument(const struct option_info *info)
{
    if (!info->argument)
        return no_argument;
    if (!info->optional)
        return required_argument;
    return option_set.no_optional_arguments ? no_argument : optional_argument;
}

void option_names_make(struct option_names *names, bool blksum)
{
    struct option *option = names->names;
    char *letters = names->letters;
    const struct option_info *info;

    *letters++ = ':'; /* report a missing argument as ':' */
    for (size_t n = 0; (info = option_at(n)) != NULL; n++) {
        char letter = option_letter(info, blksum);

        if (info->blksum_only && !blksum)
            continue;
        assert(option < names->names + OPTION_LIMIT);
        *option++ = (struct option){ .name = info->name,
                                     .has_arg = option_argument(info),
                                     .val = LONG_OPTION + (int)n };
        if (letter)
            *letters++ = letter;
        /* No letter has an optional argument. */
        if (letter && option_argument(info) == required_argument)
            *letters++ = ':';
    }
    *option = (struct option){ .name = NULL };
    *letters = 0;
}

const struct option_info *option_find(int result, bool blksum)
{
    const struct option_info *info;
    size_t n = 0;

    if (result >= LONG_OPTION)
        return option_at(result - LONG_OPTION);
    while ((info = option_at(n)) != NULL &&
           option_letter(info, blksum) != result)
        n++;
    assert(info);
    return info;
}
