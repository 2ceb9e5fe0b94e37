/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/help.h"

#include <stdio.h>

#include "cli/option-table.h"
#include "common/array.h"

/*
 * The help and the next prompt fit on a screen of 24 lines: the options are in
 * two columns, with a few words each.
 */
static const char head[] =
    "Usage: disksum [OPTION]... [IMAGE]...             files, NBD URIs, - for stdin\n"
    "  or:  disksum --check [OPTION]... [SUMS]...      lists of checksums\n"
    "  or:  disksum [OPTION]... -- [ COMMAND ARG... ]  start an NBD server\n"
    "Print checksums of what a guest sees on a disk. They differ from sha256sum's.\n";

#define EXIT_STATUS "Exit: 0 success, 1 failure, 2 bad usage"

/* A column, and the width of the names in it. */
struct column {
    const struct option_group *groups[2];
    int names;
};

static const struct column left = { { &hash_options, &check_options }, 21 };
static const struct column right = { { &read_options, &print_options }, 23 };

#define LEFT_WIDTH 39

/* Print "-d, --digest=NAME". As all of these, it returns the width. */
static int print_names(const struct option_info *info, bool blksum)
{
    char letter = option_letter(info, blksum);
    int width = letter ? printf("-%c, ", letter) : printf("    ");

    width += printf("--%s", info->name);
    if (info->argument)
        width += printf(info->optional ? "[=%s]" : "=%s", info->argument);
    return width;
}

static int print_option(const struct column *column,
                        const struct option_info *info, bool blksum)
{
    int width = printf(" ") + print_names(info, blksum);

    return width + printf("%*s %s", column->names + 1 - width, "", info->brief);
}

/* Print row n of a column: a title or an option. The column has that row. */
static int print_row(const struct column *column, size_t n, bool blksum)
{
    const struct option_group *const *group = column->groups;

    while (n > (*group)->count)
        n -= (*group++)->count + 1;
    if (n == 0)
        return printf("%s", (*group)->title);
    return print_option(column, &(*group)->options[n - 1], blksum);
}

static size_t count_rows(const struct column *column)
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(column->groups); i++)
        count += 1 + column->groups[i]->count;
    return count;
}

/* The last line: " -h, --help  -V, --version", and the exit status. */
static void print_foot(bool blksum)
{
    int width = 0;

    for (size_t i = 0; i < other_options.count; i++) {
        const struct option_info *info = &other_options.options[i];

        if (info->help)
            width += printf(" ") + print_names(info, blksum) + printf(" ");
    }
    printf("%*s" EXIT_STATUS "\n", LEFT_WIDTH - width, "");
}

void help_print(bool blksum)
{
    size_t left_rows = count_rows(&left);
    size_t right_rows = count_rows(&right);

    fputs(head, stdout);
    for (size_t n = 0; n < left_rows || n < right_rows; n++) {
        int width = n < left_rows ? print_row(&left, n, blksum) : 0;

        if (n < right_rows) {
            printf("%*s", LEFT_WIDTH - width, "");
            print_row(&right, n, blksum);
        }
        putchar('\n');
    }
    print_foot(blksum);
}
