# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Completion for bash, with the package bash-completion or without. The command
# itself lists its options: cli/option-list.h says how. Where names of files
# belong, COMPREPLY stays empty: readline completes those itself, and knows how
# to quote them. That is also what remains with a command that has no such list.

# A word as the command gets it. Not by eval: the word may have a $(...).
_disksum_plain()
{
    local word=${1//[\\\'\"]/}

    printf '%s\n' "${word/#'~/'/"$HOME/"}"
}

_disksum_run()
{
    "$(_disksum_plain "${COMP_WORDS[0]}")" "$@" 2>/dev/null
}

# The ids and the names of the snapshots, or the names of the bitmaps, of all
# images on the line. With a format there is no probing, and "info" opens no
# backing file.
_disksum_names()
{
    local script word

    case $1 in
    snapshot) script='s/^([^ ]+) +(.*[^ ]) +[0-9.]+ [KMGTPE]?i?B +[0-9-]{10} .*/\1\n\2/p' ;;
    bitmap) script='s/^ {12}name: //p' ;;
    esac
    for word in "${COMP_WORDS[@]:1}"; do
        word=$(_disksum_plain "$word")
        [[ -f $word ]] || continue
        [[ $word == /* ]] || word=./$word
        qemu-img info -U -f qcow2 "$word" 2>/dev/null
    done |
    sed -nE "$script"
}

# The command in brackets, which begins at a word.
_disksum_command()
{
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

# Complete one of the words.
_disksum_words()
{
    # Do not complete file names.
    compopt +o default +o bashdefault 2>/dev/null
    [[ $1 ]] || return
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "$cur")
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]] &&
        compopt -o nospace 2>/dev/null
}

# Complete the argument of an option.
_disksum_argument()
{
    local kind=$1 words=$2 name

    [[ $words != - ]] || words=
    case $kind in
    words | object)
        _disksum_words "$words"
        ;;
    digest)
        if [[ $cur == */* ]]; then
            before+=${cur%/*}/
            cur=${cur##*/}
        else
            words=$(_disksum_run --list-digests)
        fi
        _disksum_words "$words"
        ;;
    snapshot | bitmap)
        compopt +o default +o bashdefault 2>/dev/null
        compopt -o filenames 2>/dev/null # readline quotes them
        cur=$(_disksum_plain "$cur")
        while read -r name; do
            [[ $name == "$cur"* ]] && COMPREPLY+=("$before$name")
        done < <(_disksum_names "$kind")
        ;;
    descriptor)
        _disksum_words ""
        ;;
    esac
}

_disksum()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local before="" attached="" all="" name letter argument kind words i

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        [[ ${COMP_WORDS[i + 1]} == "[" ]] && ((i + 1 < COMP_CWORD)) &&
            _disksum_command $((i + 2))
        return
    done

    # "--name=value" is three words, unless COMP_WORDBREAKS has no "=".
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*}
        before=$prev=
        cur=${cur#*=}
        attached=yes
    elif [[ $cur == "=" ]]; then
        cur=
        attached=yes
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
        attached=yes
    fi
    [[ $cur == -* || $prev == -?* ]] || return

    while IFS=$'\t' read -r name letter argument kind words _; do
        [[ $letter != - ]] || letter=
        if [[ $argument == - || ($argument == \[* && ! $attached) ]]; then
            all+=" $letter $name"
        elif [[ $prev == "$name" || $prev == "$letter" ]]; then
            _disksum_argument "$kind" "$words"
            return
        else
            all+=" $letter $name"
            [[ $argument == \[* ]] || all+="="
        fi
    done < <(_disksum_run --long-options)
    [[ $cur != -* || ! $all ]] || _disksum_words "$all"
}

complete -o bashdefault -o default -F _disksum disksum
