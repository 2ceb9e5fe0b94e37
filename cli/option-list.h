/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options for the completions of the shells: what "disksum --long-options"
 * prints. Each option has a line of fields, with a tab between them; an empty
 * field is "-".
 *
 *     --digest    the long name
 *     -d          the letter
 *     NAME        the name of the argument; [NAME]: it may be left out
 *     digest      what completes the argument:
 *                     file        the name of a file
 *                     words       one of the words; if there are none, nothing
 *                     digest      what --list-digests prints; behind a slash,
 *                                 one of the words
 *                     snapshot    a snapshot in one of the images
 *                     object      one of the words; behind "file=" and "dir=",
 *                                 the name of a file
 *                     descriptor  the number of an open file
 *     64k 1M      the words, with a blank between them
 *     the digest  the help
 *
 * Completions must get along with more fields, and take a kind that they do not
 * know for "file".
 */
#ifndef CLI_OPTION_LIST_H
#define CLI_OPTION_LIST_H

#include <stdbool.h>

void option_list_print(bool blksum);

#endif
