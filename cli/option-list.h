/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What "disksum --long-options" prints for the completions of the shells. Each
 * option is a line of six fields, separated by tabs. An empty field is "-".
 *
 *     --digest    the long name
 *     -d          the letter
 *     NAME        the name of the argument; [NAME] if it is optional
 *     digest      what completes the argument: a kind of those below
 *     64k 1M      words, separated by blanks
 *     a digest    the help
 *
 * The kinds are:
 *
 *     file        the name of a file
 *     words       one of the words, if there are any
 *     digest      what --list-digests prints; after a slash, one of the words
 *     snapshot    a snapshot of an image on the command line
 *     bitmap      a dirty bitmap, likewise
 *     object      one of the words; after "file=" or "dir=", a file name
 *     descriptor  the number of an open file
 *
 * A completion must ignore further fields, and treat an unknown kind as "file".
 */
#ifndef CLI_OPTION_LIST_H
#define CLI_OPTION_LIST_H

#include <stdbool.h>

void option_list_print(bool blksum);

#endif
