/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/operands.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/message.h"
#include "cli/option-value.h"

/* "[ COMMAND ARG... ]", for messages. NULL when out of memory. */
static char *join(char **words, int count)
{
    size_t size = 1;
    char *text, *end;

    for (int i = 0; i < count; i++)
        size += strlen(words[i]) + 1;
    text = end = malloc(size);
    if (!text)
        return NULL;
    for (int i = 0; i < count; i++) {
        if (i)
            *end++ = ' ';
        end = stpcpy(end, words[i]);
    }
    return text;
}

/* A word with another meaning can also be a file, if the shell put it there for
 * "*". */
static bool is_file(const char *word)
{
    struct stat st;

    return lstat(word, &st) == 0;
}

bool operands_have_command(int argc, char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--") != 0)
        i++;
    return i + 1 < argc && strcmp(argv[i + 1], "[") == 0;
}

/* The option that makes the operands lists, or NULL. */
static const char *option_for_lists(const struct options *o)
{
    return o->list.check          ? "--check"
           : o->digest_list.show  ? "--show"
           : o->digest_list.merge ? "--merge"
                                  : NULL;
}

static enum options_result refuse_command(const char *lists)
{
    if (lists)
        usage_message("%s takes lists, not a command", lists);
    else
        usage_message("an image and a command cannot both be given; use ./[ "
                      "for a file");
    return OPTIONS_BAD;
}

enum options_result operands_parse(struct options *o, int argc, char **argv,
                                   int first, bool command)
{
    int last = argc - 1;
    bool dashes = strcmp(argv[first - 1], "--") == 0;
    bool opens = first <= last && strcmp(argv[first], "[") == 0;
    bool closes = first < last && strcmp(argv[last], "]") == 0;
    const char *lists = option_for_lists(o);

    if ((!opens && dashes && command) || (lists && opens && closes))
        return refuse_command(lists);
    if (!opens || (!dashes && !closes)) {
        o->images = argv + first;
        o->image_count = argc - first;
        return OPTIONS_RUN;
    }
    /* Otherwise, names of files would be a command, as those of 'xargs'. */
    if (is_file("[")) {
        usage_message("'[' is ambiguous, as there is a file of this name: use "
                      "./[ for the file; start a command in another directory");
        return OPTIONS_BAD;
    }
    if (!closes || last - first < 2) {
        usage_message("a command must have the form -- [ COMMAND ARG... ]");
        return OPTIONS_BAD;
    }
    o->command_name = join(argv + first, argc - first);
    if (!o->command_name)
        return option_no_memory();
    argv[last] = NULL;
    o->command = argv + first + 1;
    o->images = &o->command_name;
    o->image_count = 1;
    return OPTIONS_RUN;
}

bool operands_skip_subcommand(int *argc, char ***argv)
{
    char **words = *argv;

    if (*argc < 2 || strcmp(words[1], "checksum") != 0)
        return true;
    if (is_file(words[1])) {
        usage_message("'%s' is ambiguous: use ./%s for the file, or omit the "
                      "subcommand",
                      words[1], words[1]);
        return false;
    }
    words[1] = words[0];
    *argv += 1;
    *argc -= 1;
    return true;
}
