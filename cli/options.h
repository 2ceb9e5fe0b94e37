/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "cli/list-options.h"
#include "cli/progress.h"
#include "engine/engine.h"
#include "nbd/nbd.h"

#define EXIT_USAGE 2

struct options {
    struct engine_options engine;
    struct image_options image;
    struct list_options list;
    struct progress_options progress;
    struct nbd_options nbd;
    char **objects; /* for image.objects */
    bool verbose;
    char **images;      /* with list.check: lists */
    int image_count;    /* 0: standard input, or */
    char *command_name; /* a command, */
    char **command;     /* which starts a server; NULL: none */
};

enum options_result {
    OPTIONS_RUN,    /* go on */
    OPTIONS_DONE,   /* --help and the like: all is printed */
    OPTIONS_BAD,    /* wrong usage; a message was printed */
    OPTIONS_FAILED, /* another failure; a message was printed */
};

/* Read the command line. The options point into it. Free with options_free()
 * whatever the result. */
enum options_result options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
