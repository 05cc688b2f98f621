#!/bin/bash
# What is installed works by itself: program, library with header and example, man page, completion.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/installing.sh"
need_program cmake gcc pkg-config man

prefix=$WORK/prefix
install_scripts "$FETCHFS_BUILD"
(umask 077 && cmake --install "$INSTALLING" --prefix "$prefix" >"$LOGS/install")
wrote_nothing "$FETCHFS_BUILD"
echo "bytes of a file" >"$WWW/file.txt"

say "everybody may read all of it, and run what is to be run, whoever has built it"
docs=share/doc/fetchfs/docs
(cd "$prefix" && find . -type f -printf '%m %P\n' -o -path "./$docs*" -type d -printf '%m %P\n') >"$WORK/modes"
grep -Ev '^(644|755) ' "$WORK/modes" && fail "other modes"
for file in bin/fetchfs $docs $docs/examples $docs/examples/slurm-prolog.sh; do
	grep -qx "755 $file" "$WORK/modes" || fail "$file is of another mode, or missing"
done
for file in lib/systemd/system/fetchfs@.service $docs/mesos.md $docs/examples/library.c; do
	grep -qx "644 $file" "$WORK/modes" || fail "$file is of another mode, or missing"
done

say "links between the documents lead to what is there"
while IFS=: read -r page link; do
	[ -e "$(dirname "$page")/$link" ] || fail "$page has a link to $link"
done < <(cd "$prefix/share/doc/fetchfs" && grep -Eo '\]\([^:)#]+' "$PWD/README.md" "$PWD"/docs/*.md | sed 's/:\](/:/')

say "the program"
"$prefix/bin/fetchfs" --version | grep -q '[0-9]\.[0-9]' || fail "it tells no version"
"$prefix/bin/fetchfs" --cache "$CACHE" --config "$CONFIG" cat "file://$WWW/file.txt" |
	cmp - "$WWW/file.txt" || fail "it does not work"

say "the example of the library, found by pkg-config, compiled against the one header"
export PKG_CONFIG_PATH LD_LIBRARY_PATH FETCHFS_CACHE=$CACHE
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name fetchfs.pc)")
LD_LIBRARY_PATH=$(pkg-config --variable=libdir fetchfs)
sanitize=$(sed -n 's/^FETCHFS_SANITIZE:[A-Z]*=\(..*\)/-fsanitize=\1/p' "$FETCHFS_BUILD/CMakeCache.txt")

# compile PROGRAM LIBRARIES…: the example, linked with them
compile() {
	local program=$1
	shift
	# shellcheck disable=SC2046 # flags are words
	gcc -std=c17 -Wall -Wextra -Werror ${sanitize:+"$sanitize"} -o "$program" \
		"$prefix/share/doc/fetchfs/docs/examples/library.c" $(pkg-config --cflags fetchfs) "$@"
}

# shellcheck disable=SC2046
compile "$WORK/shared" $(pkg-config --libs fetchfs)
# shellcheck disable=SC2046
compile "$WORK/static" "$LD_LIBRARY_PATH/libfetchfs.a" \
	$(pkg-config --static --libs fetchfs | sed 's/-lfetchfs//')
ldd "$WORK/shared" >"$WORK/needs"
grep -q "$LD_LIBRARY_PATH/libfetchfs.so.0" "$WORK/needs" || fail "it is linked with something else"
! ldd "$WORK/static" | grep libfetchfs || fail "that is not the static library"

start_origin
for linked in shared static; do
	say "it reads what an origin sends, once: $linked"
	random_file 1M "$ORIGINROOT/$linked.bin" $linked
	uri=$ORIGIN/$linked.bin
	"$WORK/$linked" "$uri" 2>"$WORK/stderr" | cmp - "$ORIGINROOT/$linked.bin" ||
		fail "other bytes: $(<"$WORK/stderr")"
	grep -q "^$uri: .* bytes of 1048576 are here$" "$WORK/stderr" || fail "it says $(<"$WORK/stderr")"
	"$WORK/$linked" "$uri" 2>"$WORK/stderr" | cmp - "$ORIGINROOT/$linked.bin" || fail "other bytes now"
	grep -q ": complete, 1048576 bytes of 1048576 " "$WORK/stderr" || fail "it says $(<"$WORK/stderr")"
	settle_origin
	[ "$(origin_requests GET "/$linked.bin")" -eq 1 ] || fail "it was asked for again"
	expect_failure 1 gopher "$WORK/$linked" gopher://x/y
	expect_failure 1 absent "$WORK/$linked" "$ORIGIN/absent"
	expect_failure 2 usage "$WORK/$linked"
done
unset FETCHFS_CACHE

say "both show what the header promises, and nothing else"
{
	nm -D --defined-only "$LD_LIBRARY_PATH/libfetchfs.so"
	nm --defined-only "$LD_LIBRARY_PATH/libfetchfs.a"
} | awk '$2 ~ /[A-TV-Z]/ { print $3 }' | grep -Ev '^(fetchfs_|err_|__)|^fetchfs$' >"$WORK/others" &&
	fail "also: $(<"$WORK/others")"

say "the man page renders, and names every command"
man --warnings -l "$prefix/share/man/man1/fetchfs.1" >"$WORK/man" 2>"$WORK/stderr"
[ ! -s "$WORK/stderr" ] || fail "man: $(<"$WORK/stderr")"
for name in mount unmount fetch cat path ls stat status evict prepare release; do
	grep -qw "$name" "$WORK/man" || fail "the man page does not tell of $name"
done

say "so does that of the configuration, and every key"
man --warnings -l "$prefix/share/man/man5/fetchfs.conf.5" >"$WORK/man" 2>"$WORK/stderr"
[ ! -s "$WORK/stderr" ] || fail "man: $(<"$WORK/stderr")"
sed -n 's/^\t{"[a-z]*", "\([a-z_]*\)", config_set.*/\1/p' "$FETCHFS_SOURCE/fetch/config_keys.c" >"$WORK/keys"
[ "$(wc -l <"$WORK/keys")" -gt 20 ] || fail "where are the keys?"
while read -r name; do
	grep -qw "$name" "$WORK/man" || fail "the man page does not tell of $name"
done <"$WORK/keys"

say "mount(8)'s helpers, and the unit of a service manager"
for name in mount.fetchfs mount.fuse.fetchfs; do
	expect_failure 1 "usage: " "$prefix/sbin/$name"
done
unit=$prefix/lib/systemd/system/fetchfs@.service
grep -qx 'Type=notify' "$unit" || fail "no unit of the kind that is told"
grep -q "^ExecStart=$prefix/bin/fetchfs mount " "$unit" || fail "another program: $(<"$unit")"

say "the fetcher of an agent of Mesos, with its manual page"
box=$WORK/box
mkdir "$box"
MESOS_FETCHER_INFO="{\"sandbox_directory\":\"$box\",\"items\":[{\"action\":\"BYPASS_CACHE\",
	\"uri\":{\"value\":\"$WWW/file.txt\"}}]}" FETCHFS_CACHE=$CACHE FETCHFS_CONFIG=$CONFIG \
	"$prefix/libexec/mesos/mesos-fetcher" 2>"$WORK/stderr" || fail "it fails: $(<"$WORK/stderr")"
cmp "$box/file.txt" "$WWW/file.txt" || fail "it fetches other bytes"
man --warnings -l "$prefix/share/man/man8/mesos-fetcher.8" >"$WORK/man" 2>"$WORK/stderr"
[ ! -s "$WORK/stderr" ] || fail "man: $(<"$WORK/stderr")"
grep -q RETRIEVE_FROM_CACHE "$WORK/man" || fail "the man page is of something else"

say "the completion offers commands"
# shellcheck source=/dev/null
. "$prefix/share/bash-completion/completions/fetchfs"
complete -p fetchfs >/dev/null || fail "bash knows no completion"
for name in zsh/vendor-completions/_fetchfs fish/vendor_completions.d/fetchfs.fish; do
	grep -q '__complete' "$prefix/share/$name" || fail "no $name"
done
