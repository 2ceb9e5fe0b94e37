/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/option-list.h"

#include <stdio.h>

#include "cli/option-table.h"

static void print_argument(const struct option_info *info)
{
    if (!info->argument)
        fputs("-\t-", stdout);
    else
        printf(info->optional ? "[%s]\t%s" : "%s\t%s", info->argument,
               info->kind ? info->kind : "file");
}

static const char *word_at(const struct option_info *info, size_t n)
{
    if (info->word)
        return info->word(n);
    return info->words ? info->words[n] : NULL;
}

static void print_words(const struct option_info *info)
{
    const char *word;

    if (!word_at(info, 0))
        putchar('-');
    for (size_t n = 0; (word = word_at(info, n)) != NULL; n++)
        printf(n ? " %s" : "%s", word);
}

void option_list_print(bool blksum)
{
    const struct option_info *info;

    for (size_t n = 0; (info = option_at(n)) != NULL; n++) {
        char letter = option_letter(info, blksum);

        if (!info->help)
            continue;
        printf("--%s\t-", info->name);
        if (letter)
            putchar(letter);
        putchar('\t');
        print_argument(info);
        putchar('\t');
        print_words(info);
        printf("\t%s\n", info->help);
    }
}
