/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/option-error.h"

#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/option-table.h"

/* Enough for the names of all options. */
#define NAMES_SIZE 1024

static const char *name_of(int option, const struct option *options)
{
    for (; options->name; options++) {
        if (options->val == option)
            return options->name;
    }
    return NULL;
}

/* Write " '--status' '--strict'": what an abbreviation can stand for. */
static bool list_names(const char *start, size_t len,
                       const struct option *options, char names[NAMES_SIZE])
{
    size_t n = 0;

    for (; options->name && n < NAMES_SIZE; options++) {
        if (strncmp(options->name, start, len) == 0)
            n += snprintf(names + n, NAMES_SIZE - n, " '--%s'", options->name);
    }
    return n > 0;
}

static void no_such_name(const char *argument, const struct option *options)
{
    const char *start = argument + strlen("--");
    char names[NAMES_SIZE];

    if (list_names(start, strcspn(start, "="), options, names))
        usage_message("option '%s' is ambiguous; possibilities:%s", argument,
                      names);
    else
        usage_message("unrecognized option '%s'", argument);
}

/* In "-p=3", getopt_long() took "=" for an option. Return the option before it,
 * or NULL if that is not what happened. */
static const struct option_info *option_before_equals(const char *word,
                                                      bool blksum)
{
    const char *equals = strchr(word, '=');

    if (optopt != '=' || *word != '-' || !equals || equals < word + 2)
        return NULL;
    return option_find((unsigned char)equals[-1], blksum);
}

static void no_argument_message(const struct option_info *info, char letter)
{
    if (option_argument(info) != no_argument)
        usage_message("option '-%c' doesn't allow an argument; use --%s=%s",
                      letter, info->name, info->argument);
    else
        usage_message("option '-%c' doesn't allow an argument", letter);
}

void option_error(int result, char **argv, int first, bool blksum,
                  const struct option *options)
{
    const struct option_info *info = option_before_equals(argv[first], blksum);
    const char *argument = argv[optind - 1];
    const char *name = name_of(optopt, options);

    if (result == ':' && strncmp(argument, "--", 2) == 0)
        usage_message("option '--%s' requires an argument", name);
    else if (result == ':')
        usage_message("option requires an argument -- '%c'", optopt);
    else if (info)
        no_argument_message(info, option_letter(info, blksum));
    else if (optopt == 0)
        no_such_name(argument, options);
    else if (name)
        usage_message("option '--%s' doesn't allow an argument", name);
    else
        usage_message("invalid option -- '%c'", optopt);
}
