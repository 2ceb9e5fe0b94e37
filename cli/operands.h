/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of the command line that are not options.
 */
#ifndef CLI_OPERANDS_H
#define CLI_OPERANDS_H

#include <stdbool.h>

#include "cli/options.h"

/*
 * Skip the subcommand of "disksum checksum", which stands for "qemu-img
 * checksum". False: the word may also mean a file; a usage message was printed.
 */
bool operands_skip_subcommand(int *argc, char ***argv);

/* Whether "[" follows "--". Call this before getopt_long(), which moves words.
 */
bool operands_have_command(int argc, char **argv);

/*
 * Take the words from argv[first] on: images, or a command in brackets. Without
 * "--" before it, the command can have no options. command: there is one, by
 * operands_have_command().
 */
enum options_result operands_parse(struct options *o, int argc, char **argv,
                                   int first, bool command);

#endif
