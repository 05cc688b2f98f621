#!/bin/bash
# What is installed works by itself: program, library with header, man page, completion.
. "$(dirname "$0")/../support/lib.sh"
need_program cmake gcc pkg-config man

prefix=$WORK/prefix
cmake --install "$FETCHFS_BUILD" --prefix "$prefix" >"$LOGS/install"
echo "bytes of a file" >"$WWW/file.txt"

say "the program"
"$prefix/bin/fetchfs" --version | grep -q '[0-9]\.[0-9]' || fail "it tells no version"
"$prefix/bin/fetchfs" --cache "$CACHE" --config "$CONFIG" cat "file://$WWW/file.txt" |
	cmp - "$WWW/file.txt" || fail "it does not work"

say "a program that uses the library, found by pkg-config, compiled against the one header"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name fetchfs.pc)")
cat >"$WORK/program.c" <<-'END'
	#include <fetchfs.h>
	#include <stdio.h>
	#include <unistd.h>

	int main(int argc, char **argv)
	{
		struct err err = ERR_INIT;
		struct fetchfs *fetchfs;
		struct fetchfs_file *file;
		struct fetchfs_request request = {.uri = argv[argc - 1], .uid = getuid()};
		char buf[64];
		ssize_t n;

		if (fetchfs_open(&(struct fetchfs_options){.cache = argv[1]}, &fetchfs, &err) < 0)
			return fprintf(stderr, "%s\n", err.msg), 1;
		if (fetchfs_get(fetchfs, &request, &file, &err) < 0 ||
			(n = fetchfs_file_read(file, buf, sizeof(buf), 0, &err)) < 0) {
			err_context(&err, "%s", err_kind_name(err.kind));
			return fprintf(stderr, "%s\n", err.msg), 1;
		}
		fetchfs_file_free(file);
		fetchfs_close(fetchfs);
		return fwrite(buf, 1, (size_t)n, stdout) != (size_t)n;
	}
END
sanitize=$(sed -n 's/^FETCHFS_SANITIZE:[A-Z]*=\(..*\)/-fsanitize=\1/p' "$FETCHFS_BUILD/CMakeCache.txt")
# shellcheck disable=SC2046 # flags are words
gcc -std=c17 -Wall -Wextra -Werror ${sanitize:+"$sanitize"} -o "$WORK/program" "$WORK/program.c" \
	$(pkg-config --cflags --libs fetchfs)
libdir=$(pkg-config --variable=libdir fetchfs)
LD_LIBRARY_PATH=$libdir "$WORK/program" "$CACHE" "file://$WWW/file.txt" |
	cmp - "$WWW/file.txt" || fail "the library does not work"
! LD_LIBRARY_PATH=$libdir "$WORK/program" "$CACHE" "gopher://x/y" 2>"$WORK/stderr" ||
	fail "no error from an unknown scheme"
grep -q gopher "$WORK/stderr" || fail "the error does not say what is wrong: $(<"$WORK/stderr")"

say "the library shows what its header promises, and nothing else"
nm -D --defined-only "$libdir/libfetchfs.so" | awk '$2 ~ /[A-TV-Z]/ { print $3 }' |
	grep -Ev '^(fetchfs_|err_|__)|^fetchfs$' >"$WORK/others" && fail "also: $(<"$WORK/others")"

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
