/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/help.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/option-table.h"
#include "cli/output.h"
#include "common/array.h"

/*
 * The help and the next prompt fit on a screen of 24 lines. The options are in
 * two columns, with a few words each. Those that few people need share lines,
 * with just their names.
 */
static const char head[] =
    "Usage: disksum [OPTION]... [IMAGE]...             files, NBD URIs, - for stdin\n"
    "  or:  disksum --check [OPTION]... [SUMS]...      lists of checksums\n"
    "  or:  disksum --diff [OPTION]... A B             images or digest lists\n"
    "  or:  disksum [OPTION]... -- [ COMMAND ARG... ]  start an NBD server\n"
    "Print checksums of a guest's disk. They differ from sha256sum's; see --plain.\n";

#define EXIT_STATUS "Exit: 0 success, 1 failure, 2 bad usage"

#define WIDTH 80
#define LEFT_WIDTH 39 /* with the space before the right column */
#define MAX_LINES 24

/* A column, and the width of the names in it. */
struct column {
    const struct option_group *groups[3]; /* NULL: no more */
    int names;
    size_t width;
};

static const struct column left = {
    .groups = { &hash_options, &list_options },
    .names = 21,
    .width = LEFT_WIDTH - 1,
};
static const struct column right = {
    .groups = { &read_options, &print_options, &check_options },
    .names = 23,
    .width = WIDTH - LEFT_WIDTH,
};

struct lines {
    char text[MAX_LINES][WIDTH + 1];
    size_t count;
};

static char *add_line(struct lines *lines)
{
    assert(lines->count < MAX_LINES);
    return lines->text[lines->count++];
}

/* Add to a text in an array of WIDTH + 1 bytes. */
static void __attribute__((format(printf, 2, 3)))
append(char *text, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, WIDTH + 1 - len, format, args);
    va_end(args);
}

/* Add "-d, --digest=NAME". */
static void append_names(char *text, const struct option_info *info,
                         bool blksum)
{
    char letter = option_letter(info, blksum);

    if (letter)
        append(text, "-%c, ", letter);
    else
        append(text, "    ");
    append(text, "--%s", info->name);
    if (info->argument)
        append(text, info->optional ? "[=%s]" : "=%s", info->argument);
}

/* A line for each option that has words. */
static void add_options(struct lines *lines, const struct column *column,
                        const struct option_group *group, bool blksum)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct option_info *info = &group->options[i];
        char names[WIDTH + 1] = "";

        if (!info->brief)
            continue;
        append_names(names, info, blksum);
        append(add_line(lines), " %-*s %s", column->names, names, info->brief);
    }
}

/* The names of the others. One that has a letter is short. */
static void add_names(struct lines *lines, const struct column *column,
                      const struct option_group *group, bool blksum)
{
    char *line = NULL;

    for (size_t i = 0; i < group->count; i++) {
        const struct option_info *info = &group->options[i];
        char letter = option_letter(info, blksum);
        char name[WIDTH + 1] = "";

        if (info->brief || !info->help)
            continue;
        if (letter)
            append(name, " -%c", letter);
        else
            append(name, " --%s", info->name);
        if (!line || strlen(line) + strlen(name) > column->width)
            line = add_line(lines);
        append(line, "%s", name);
    }
}

static void add_groups(struct lines *lines, const struct column *column,
                       bool blksum)
{
    for (size_t i = 0; i < ARRAY_SIZE(column->groups); i++) {
        const struct option_group *group = column->groups[i];

        if (!group)
            break;

        append(add_line(lines), "%s", group->title);
        add_options(lines, column, group, blksum);
        add_names(lines, column, group, blksum);
    }
}

/* The last line: " -h, --help  -V, --version", and the exit status. */
static void print_foot(bool blksum)
{
    int width = 0;

    for (size_t i = 0; i < other_options.count; i++) {
        char names[WIDTH + 1] = "";

        if (!other_options.options[i].help)
            continue;
        append_names(names, &other_options.options[i], blksum);
        width += fprintf(output(), " %s ", names);
    }
    fprintf(output(), "%*s" EXIT_STATUS "\n", LEFT_WIDTH - width, "");
}

void help_print(bool blksum)
{
    struct lines l = { .count = 0 };
    struct lines r = { .count = 0 };

    add_groups(&l, &left, blksum);
    add_groups(&r, &right, blksum);
    fputs(head, output());
    for (size_t n = 0; n < l.count || n < r.count; n++) {
        if (r.text[n][0])
            fprintf(output(), "%-*s%s\n", LEFT_WIDTH, l.text[n], r.text[n]);
        else
            fprintf(output(), "%s\n", l.text[n]);
    }
    print_foot(blksum);
}
