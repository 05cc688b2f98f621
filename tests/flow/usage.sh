#!/bin/bash
# What is typed wrong is told so, with status 2; what is asked for is printed, with status 0.
. "$(dirname "$0")/../support/lib.sh"

# usage REGEX ARGUMENT…: wrong usage, which stderr tells and stdout does not
usage() {
	local regex=$1 got=0
	shift
	fetchfs "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || got=$?
	[ $got -eq 2 ] || fail "$*: status $got: $(<"$WORK/stderr")"
	grep -Eq -- "$regex" "$WORK/stderr" || fail "$*: not /$regex/: $(<"$WORK/stderr")"
	[ ! -s "$WORK/stdout" ] || fail "$*: printed $(<"$WORK/stdout")"
}

say "wrong usage"
usage 'command is missing'
usage "did you mean 'fetch'" fecth x
usage "did you mean 'release'" relase x
usage "unknown command 'frobnicate'$" frobnicate
usage 'unrecognized option' fetch --frobnicate
usage 'URI is missing' fetch
usage 'URI is missing' cat
usage 'one URI' fetch --digest sha256:00 file:///a file:///b
usage 'digest' fetch --digest sha256:00 file:///a
usage '128 hexadecimal digits' fetch --digest sha512:00 file:///a
usage 'none of sha256' fetch --digest crc32:00 file:///a
usage '32 hexadecimal digits' cat --digest md5:00 file:///a
usage 'at once' fetch --digest "md5:$(printf '%032d' 0)" --digests file:///b file:///a
usage 'no mount' fetch --mount "$WORK" --digests file:///b file:///a
usage 'no mount' cat --mount "$WORK" --digest "md5:$(printf '%032d' 0)" file:///a
usage 'from 1 to' fetch -j 0 file:///a
usage 'from 1 to' fetch -j 1x file:///a
usage '--all' evict
usage '--all' evict --all file:///a
usage 'no size' evict --to many
usage 'directory is missing' prepare
usage 'URIs or --spec' prepare "$WORK"
usage 'unknown method' prepare --method magic "$WORK" file:///a
usage 'directory is missing' release
usage '--mount' path file:///a
usage 'no arguments' status now
usage 'not both' report --json --html "$WORK/page"

say "help and version, everywhere"
"$FETCHFS" --version | grep -Eq '^fetchfs [0-9]+\.[0-9]+' || fail "--version"
"$FETCHFS" --help >"$WORK/help"
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$WORK/help")
[ "$(wc -w <<<"$commands")" -ge 11 ] || fail "--help lists: $commands"
for command in $commands; do
	"$FETCHFS" "$command" --help | grep -q "^Usage: fetchfs $command" || fail "$command --help"
	"$FETCHFS" "$command" --version | grep -q '^fetchfs ' || fail "$command --version"
done

say "the manual knows the same commands and options"
for command in $commands; do
	grep -Eq "^\.Ss $command( |\$)" "$FETCHFS_SOURCE/docs/fetchfs.1" || fail "no manual of $command"
	for option in $("$FETCHFS" "$command" --help | grep -Eo -- '^ +(-., +)?--[a-z]+' |
		grep -Eo -- '--[a-z]+'); do
		grep -Eq -- "(Fl|Fl .* , Fl) -?${option#-}|Fl ${option#-}" \
			"$FETCHFS_SOURCE/docs/fetchfs.1" || fail "no manual of $command $option"
	done
done
