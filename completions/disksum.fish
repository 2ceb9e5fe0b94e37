# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion for fish. The command itself lists its options: cli/option-list.h
# says how. With a command that has no such list, names of files remain.

# The place of the word after "-- [", where a command begins.
function __disksum_command_start
    set -l words (commandline -opc)
    set -l end (contains -i -- -- $words)
    and test "$words[$(math $end + 1)]" = '['
    and math $end + 2
end

function __disksum_command
    set -l start (__disksum_command_start)
    set -l words (commandline -opc)
    set words (string escape -- $words[$start..-1]) (commandline -ct)
    complete -C (string join ' ' -- $words)
end

# The digests, and behind a slash the sizes of blocks.
function __disksum_digests
    set -l names (disksum --list-digests 2>/dev/null)
    printf '%s\n' $names
    string match -q '*/*' -- (commandline -ct)
    and for size in $argv
        printf "%s/$size\n" $names
    end
end

# The ids and the names of the snapshots, or the names of the bitmaps, of all
# images on the line. With a format there is no probing, and "info" opens no
# backing file.
function __disksum_names
    set -l script 's/^([^ ]+) +(.*[^ ]) +[0-9.]+ [KMGTPE]?i?B +[0-9-]{10} .*/\1\n\2/p'
    test $argv[1] = bitmap; and set script 's/^ {12}name: //p'
    for word in (commandline -op)[2..-1]
        set word (string replace -r '^~/' "$HOME/" -- $word)
        test -f "$word"; or continue
        string match -q '/*' -- $word; or set word ./$word
        qemu-img info -U -f qcow2 $word 2>/dev/null
    end | sed -nE $script
end

# Complete the option of a line: name, letter, argument, kind, words, help.
function __disksum_option
    set -l option -l (string sub -s 3 -- $argv[1]) -d $argv[6]
    set -l words (string replace -r '^-$' '' -- $argv[5])

    test $argv[2] = -; or set -a option -s (string sub -s 2 -- $argv[2])
    # fish has no completion for what may be left out.
    switch (string sub -l 1 -- $argv[3])$argv[4]
        case '-*' '[*'
        case '*words'
            set -a option -x -a "$words"
        case '*digest'
            set -a option -x -a "(__disksum_digests $words)"
        case '*snapshot'
            set -a option -x -a '(__disksum_names snapshot)'
        case '*bitmap'
            set -a option -x -a '(__disksum_names bitmap)'
        case '*descriptor'
            set -a option -x
        case '*object'
            set -a option -r -a "$words"
        case '*'
            set -a option -r -F
    end
    complete -c disksum $option
end

complete -c disksum -n __disksum_command_start -f -a '(__disksum_command)'

command -sq disksum
and disksum --long-options 2>/dev/null | while read -l line
    __disksum_option (string split \t -- $line)
end
