# SPDX-License-Identifier: LGPL-2.1-or-later

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

function __disksum_digests
    set -l names (disksum --list-digests 2>/dev/null)
    printf '%s\n' $names
    string match -q '*/*' -- (commandline -ct)
    and for size in 4k 16k 64k 256k 1M 4M 16M
        printf "%s/$size\n" $names
    end
end

# The ids and the names of the snapshots of all images on the line. With a
# format there is no probing, and "info" opens no backing file.
function __disksum_snapshots
    for word in (commandline -op)[2..-1]
        set word (string replace -r '^~/' "$HOME/" -- $word)
        test -f "$word"; or continue
        string match -q '/*' -- $word; or set word ./$word
        qemu-img info -U -f qcow2 $word 2>/dev/null
    end |
        sed -nE 's/^([^ ]+) +(.*[^ ]) +[0-9.]+ [KMGTPE]?i?B +[0-9-]{10} .*/\1\n\2/p'
end

complete -c disksum -n __disksum_command_start -f -a '(__disksum_command)'

complete -c disksum -s d -l digest -x -a '(__disksum_digests)' -d 'Digest of the blocks, and their size'
complete -c disksum -s a -l algorithm -x -a '(__disksum_digests)' -d 'Digest of the blocks, and their size'
complete -c disksum -l block-size -x -a '4k 16k 64k 256k 1M 4M 16M' -d 'Bytes in a block'
complete -c disksum -l list-digests -d 'List the digests that can be used'
complete -c disksum -s f -l format -x -a 'raw qcow2 vmdk vhdx vpc vdi qed parallels luks dmg bochs cloop qcow' -d 'Format of the images'
complete -c disksum -s l -l snapshot -x -a '(__disksum_snapshots)' -d 'An internal snapshot, by its id or name'
complete -c disksum -l standalone -d 'Refuse an image that refers to any other file'
complete -c disksum -l trust-names -d 'Follow names in images that are not plain files'
complete -c disksum -l max-size -x -a '64G 1T 16T' -d 'Refuse a larger disk'
complete -c disksum -l no-extents -d 'Read holes, too; warn if there is data in one'
complete -c disksum -s T -l source-cache -x -a 'none off directsync writeback writethrough unsafe' -d 'Read past the page cache, or through it'
complete -c disksum -l cache -d 'Read through the page cache'
complete -c disksum -l image-opts -d 'Images are option strings of QEMU'
complete -c disksum -l object -r -a 'secret,id= tls-creds-x509,id= tls-creds-psk,id=' -d 'An object of QEMU'
complete -c disksum -s U -l force-share -d 'Read an image also while another process writes it'
complete -c disksum -l tag -d 'Print lines that tell the digest'
complete -c disksum -s z -l zero -d 'End lines with NUL, and do not escape names'
complete -c disksum -l json -d 'Print an object a line'
complete -c disksum -l output -x -a 'human json' -d 'How to print'
complete -c disksum -l timeout -x -d 'Give up when an NBD server is silent for so long'
complete -c disksum -s p -l progress -d 'Show progress'
complete -c disksum -s q -l quiet -d 'Print only errors'
complete -c disksum -s v -l verbose -d 'Say what was done, and how fast'
complete -c disksum -s h -l help -d 'Print the options'
complete -c disksum -s V -l version -d 'Print the version'
complete -c disksum -s c -l check -d 'Verify images by lists of checksums'
complete -c disksum -l ignore-missing -d 'Skip images that do not exist'
complete -c disksum -l status -d 'Print no verdicts'
complete -c disksum -l strict -d 'Fail if a line is improperly formatted'
complete -c disksum -s w -l warn -d 'Name each improperly formatted line'
complete -c disksum -s t -l threads -x -d 'Threads that read and hash'
complete -c disksum -l queue-depth -x -d 'Reads in flight for each thread'
complete -c disksum -l read-size -x -a '64k 256k 1M 4M 16M 64M' -d 'Bytes of a read'
complete -c disksum -l connections -x -d 'Connections to an NBD server'
