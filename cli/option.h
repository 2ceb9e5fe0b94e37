/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An option of the command line: all that getopt_long(), --help and the
 * completions of the shells have to know, and how it sets its value. A group of
 * options is a file with a table. Nothing else lists options.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

struct options;

enum options_result {
    OPTIONS_RUN,    /* go on */
    OPTIONS_DONE,   /* all is printed that was asked for */
    OPTIONS_HELP,   /* print the help */
    OPTIONS_LIST,   /* print the options for a completion */
    OPTIONS_BAD,    /* wrong usage; a message was printed */
    OPTIONS_FAILED, /* another failure; a message was printed */
};

struct option_info {
    const char *name;     /* the long one */
    char letter;          /* 0: none */
    char blksum_letter;   /* what it is in blksum, if not the same */
    const char *argument; /* its name; NULL: the option takes none */
    bool optional;        /* the long option may stand without it */

    const char *brief; /* for --help: 16 characters at most */
    const char *help;  /* for completions; NULL: nobody is told of the option */

    /* What completes the argument: see cli/option-list.h. */
    const char *kind;         /* NULL: "file" */
    const char *const *words; /* NULL ends them; or NULL: there are none, or */
    const char *(*word)(size_t n); /* others have them: number n, or NULL */

    /* Take the argument, which is NULL if there is none. */
    enum options_result (*set)(struct options *o, char *argument);
    size_t flag;     /* no set(): the offset in struct options of a bool */
    bool check_only; /* an error without --check */
};

struct option_group {
    const char *title;
    const struct option_info *options;
    size_t count;
};

/* One in each file *-options.c. */
extern const struct option_group hash_options;
extern const struct option_group read_options;
extern const struct option_group print_options;
extern const struct option_group check_options;
extern const struct option_group other_options;

#endif
