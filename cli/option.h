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
    OPTIONS_DONE,   /* what the user asked for is printed */
    OPTIONS_HELP,   /* print the help */
    OPTIONS_LIST,   /* print the options for a completion */
    OPTIONS_BAD,    /* wrong usage; a message was printed */
    OPTIONS_FAILED, /* another failure; a message was printed */
};

struct option_info {
    const char *name;     /* the long option */
    char letter;          /* 0: none */
    char blksum_letter;   /* if the program is called as blksum; 0: the same */
    const char *argument; /* the name of its argument; NULL: it takes none */
    bool optional;        /* the long option does not require its argument */

    const char *brief; /* for --help: 15 characters, or 16 in the right column;
                        * NULL: only the name of the option is there. What has
                        * another letter in blksum needs one. */
    const char *help;  /* for completions; NULL: the option is hidden */

    /* What completes the argument: see cli/option-list.h. */
    const char *kind;              /* NULL: "file" */
    const char *const *words;      /* ends with NULL */
    const char *(*word)(size_t n); /* instead: word number n, or NULL */

    /* Set the value. The argument is NULL if there is none. */
    enum options_result (*set)(struct options *o, char *argument);
    size_t flag;      /* instead: the offset of a bool in struct options */
    bool blksum_only; /* unknown unless the program is called as blksum */
    bool check_only;  /* an error without --check */
    bool image_only;  /* an error with --show and --merge, which read lists */
    bool hash_only;   /* and with --diff, as well: nothing is hashed by it */
};

struct option_group {
    const char *title;
    const struct option_info *options;
    size_t count;
};

/* Each is in the file of its name. */
extern const struct option_group hash_options;
extern const struct option_group read_options;
extern const struct option_group print_options;
extern const struct option_group check_options;
extern const struct option_group list_options;
extern const struct option_group other_options;

#endif
