/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the user names: an image, an export, a command or standard input.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/options.h"

/* Mark standard input as used: if it is a pipe, it cannot be an image then. */
void input_take_stdin(void);

/* Open an image as the options say; "-" is standard input. Close it with
 * image_close(), if it has an image. */
int input_open(const struct options *o, const char *name,
               struct engine_input *input, struct error *error);

/* Whether the user wants warnings. */
bool input_wants_warnings(const struct options *o);

/* Print the warnings of an image from number first on, if the user wants any.
 * Returns how many there are. NULL is accepted. */
size_t input_warn(const struct options *o, const struct image *image,
                  size_t first);

#endif
