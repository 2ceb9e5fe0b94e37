/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/option-list.h"

#include <stdio.h>

#include "cli/option-table.h"
#include "cli/output.h"

static void print_argument(const struct option_info *info)
{
    if (!info->argument)
        fputs("-\t-", output());
    else
        fprintf(output(), info->optional ? "[%s]\t%s" : "%s\t%s",
                info->argument, info->kind ? info->kind : "file");
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
        putc('-', output());
    for (size_t n = 0; (word = word_at(info, n)) != NULL; n++)
        fprintf(output(), n ? " %s" : "%s", word);
}

void option_list_print(bool blksum)
{
    const struct option_info *info;

    for (size_t n = 0; (info = option_at(n)) != NULL; n++) {
        char letter = option_letter(info, blksum);

        if (!info->help)
            continue;
        fprintf(output(), "--%s\t-", info->name);
        if (letter)
            putc(letter, output());
        putc('\t', output());
        print_argument(info);
        putc('\t', output());
        print_words(info);
        fprintf(output(), "\t%s\n", info->help);
    }
}
