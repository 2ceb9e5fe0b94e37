# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Completion for bash, with the package bash-completion or without. Where names
# of files belong, COMPREPLY stays empty: readline completes those itself, and
# knows how to quote them.

_disksum_options="-a -c -d -f -h -l -p -q -t -v -w -z -T -U -V
    --algorithm= --block-size= --cache --check --connections= --digest=
    --force-share --format= --help --ignore-missing --image-opts --json
    --list-digests --max-size= --no-extents --object= --output= --progress
    --queue-depth= --quiet --read-size= --snapshot= --source-cache= --standalone
    --status --strict --tag --threads= --timeout= --trust-names --verbose
    --version --warn --zero"
_disksum_formats="raw qcow2 vmdk vhdx vpc vdi qed parallels luks dmg bochs cloop
    qcow"
_disksum_block_sizes="4k 16k 64k 256k 1M 4M 16M"

# A word as the command will get it. Not by eval: it may have a $(...).
_disksum_plain()
{
    local word=${1//[\\\'\"]/}

    printf '%s\n' "${word/#'~/'/"$HOME/"}"
}

# The ids and the names of the snapshots of all images on the line. With a
# format there is no probing, and "info" opens no backing file.
_disksum_snapshots()
{
    local word

    for word in "${COMP_WORDS[@]:1}"; do
        word=$(_disksum_plain "$word")
        [[ -f $word ]] || continue
        [[ $word == /* ]] || word=./$word
        qemu-img info -U -f qcow2 "$word" 2>/dev/null
    done |
    sed -nE 's/^([^ ]+) +(.*[^ ]) +[0-9.]+ [KMGTPE]?i?B +[0-9-]{10} .*/\1\n\2/p'
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

_disksum()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local before="" words="" command name i

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
    elif [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    case $prev in
    -f | --format)
        words=$_disksum_formats
        ;;
    -T | --source-cache)
        words="none off directsync writeback writethrough unsafe"
        ;;
    -d | --digest | -a | --algorithm)
        if [[ $cur == */* ]]; then
            before+=${cur%/*}/
            cur=${cur##*/}
            words=$_disksum_block_sizes
        else
            command=$(_disksum_plain "${COMP_WORDS[0]}")
            words=$("$command" --list-digests 2>/dev/null)
        fi
        ;;
    -l | --snapshot)
        compopt -o filenames 2>/dev/null # readline quotes them
        cur=$(_disksum_plain "$cur")
        while read -r name; do
            [[ $name == "$cur"* ]] && COMPREPLY+=("$before$name")
        done < <(_disksum_snapshots)
        ;;
    --object)
        words="secret,id= tls-creds-x509,id= tls-creds-psk,id="
        ;;
    --output)
        words="human json"
        ;;
    --block-size)
        words=$_disksum_block_sizes
        ;;
    --read-size)
        words="64k 256k 1M 4M 16M 64M"
        ;;
    -t | --threads | --queue-depth | --connections | --timeout) ;;
    *)
        [[ $cur == -* ]] || return
        words=$_disksum_options
        ;;
    esac

    # It is no file, whatever it is.
    compopt +o default +o bashdefault 2>/dev/null
    [[ $words ]] || return
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$words" -- "$cur")
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] &&
        compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _disksum disksum
