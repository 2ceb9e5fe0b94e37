/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A digest list that the user names.
 */
#ifndef CLI_LIST_INPUT_H
#define CLI_LIST_INPUT_H

#include "cli/options.h"
#include "list/reader.h"

struct list_input {
    int fd;
    struct list_reader *reader;
};

/* Open a list and read its header; "-" is standard input. The name must stay
 * in place. Close with list_input_close(), also after an error. */
int list_input_open(struct list_input *in, const struct options *o,
                    const char *name, struct error *error);

/* Read the list again from its beginning. Its file must be one that can be read
 * twice. */
int list_input_again(struct list_input *in, const struct options *o,
                     const char *name, struct error *error);
void list_input_close(struct list_input *in);

#endif
