#!/bin/bash
# `list = yes` at servers that write a folder's page themselves: Apache's mod_autoindex, in each of its
# forms, and Python's http.server. (nginx's is in remote.sh.)
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program apache2 python3

# Each file says its name, so that it can be told from another one.
root=$WWW/all
mkdir -p "$root"
python3 - "$root" <<'END'
import os, sys
names = ["plain.txt", "none", "a b", "  two  blanks ", "Ä ö.txt", "語.bin", "a+b", "100%", "%41", "%2F", "a#b", "#",
         "a?b=c", "?C=M;O=D", "a&b", "a&amp;b", "q\"'<x>", "a:b", "http:x", "back\\slash", "~t", "a=b,c;d@e$f!g*(h)",
         "[x]", "..x", "x..", ".hidden", "very-" + "long" * 50]
for folder in ["", "sub/", "s p+%?#&Ä/", "s p+%?#&Ä/deep/", ".dark/", "c:d/"]:
    os.makedirs(os.path.join(sys.argv[1], folder), exist_ok=True)
    for name in names:
        with open(os.path.join(sys.argv[1], folder, name), "w") as f:
            f.write(folder + name)
os.makedirs(os.path.join(sys.argv[1], "empty folder"))
END

# The same below both: all folders, and all files by what they say. What the tree escapes is undone.
cat >"$WORK/same.py" <<'END'
import os, sys
from urllib.parse import unquote

def walk(top, name_of):
    names = {}
    for folder, folders, files in os.walk(top, onerror=lambda e: sys.exit(e)):
        below = os.path.relpath(folder, top)
        for name in folders:
            names[name_of(os.path.join(below, name)) + "/"] = None
        for name in files:
            with open(os.path.join(folder, name)) as f:
                names[name_of(os.path.join(below, name))] = f.read()
    return names

shown = walk(sys.argv[1], lambda name: unquote(name, errors="strict"))
right = walk(sys.argv[2], lambda name: name)
if sys.argv[3] == "without-hidden":
    right = {n: t for n, t in right.items() if not any(len(p) > 2 and p[0] == "." for p in n.split("/"))}
wrong = [n for n in sorted(shown.keys() | right.keys()) if n not in shown or n not in right or shown[n] != right[n]]
if wrong:
    sys.exit("\n".join(f"{n!r}: {shown.get(n, 'is not shown')!r}" for n in wrong[:20]))
END

# Each line is a FORM and what its configuration says besides; lines of that are divided by ";".
start_apache() {
	local dir=$WORK/apache port form says name
	port=$(free_port)
	APACHE=http://127.0.0.1:$port
	APACHE_LOG=$LOGS/apache-access
	: >"$APACHE_LOG"
	mkdir -p "$dir/www"
	{
		for name in mpm_event authz_core dir autoindex; do
			echo "LoadModule ${name}_module /usr/lib/apache2/modules/mod_$name.so"
		done
		cat <<-END
			ServerRoot $dir
			DefaultRuntimeDir $dir
			PidFile $dir/pid
			User nobody
			Group nogroup
			ServerName localhost
			Listen 127.0.0.1:$port
			ErrorLog $LOGS/apache-error
			LogFormat "%m %U %>s" one
			CustomLog $APACHE_LOG one
			DocumentRoot $dir/www
		END
		while read -r form says; do
			ln -s "$root" "$dir/www/$form"
			printf '<Directory %s>\nOptions Indexes FollowSymLinks\n%s\n</Directory>\n' \
				"$dir/www/$form" "${says//;/$'\n'}"
		done
	} >"$dir/conf"
	apache2 -d "$dir" -f "$dir/conf" -DFOREGROUND >"$LOGS/apache" 2>&1 &
	children+=($!)
	wait_for 10 listening "$port" || fail "apache2 does not start"
}

start_apache <<'END'
plain
fancy IndexOptions FancyIndexing IconsAreLinks VersionSort;DefaultIcon /icons/unknown.gif
table IndexOptions FancyIndexing HTMLTable FoldersFirst Charset=UTF-8 NameWidth=20
xhtml IndexOptions FancyIndexing HTMLTable XHTML SuppressColumnSorting SuppressLastModified
ignoring IndexOptions FancyIndexing;IndexIgnore .??*
END
port=$(free_port)
PYTHON=http://127.0.0.1:$port
python3 -m http.server --bind 127.0.0.1 --directory "$WWW" "$port" >"$LOGS/python" 2>&1 &
children+=($!)
wait_for 10 listening "$port" || fail "http.server does not start"

for prefix in "$APACHE/" "$PYTHON/"; do
	printf '[origin "%s"]\nlist = yes\n' "$prefix"
done >"$CONFIG"
start_mount

# same URL [without-hidden]: what is below URL is what is below $root
same() {
	python3 "$WORK/same.py" "$MNT/${1/:\//}" "$root" "${2-}" || fail "$1 is another tree"
}

say "Python's http.server"
same "$PYTHON/all"
for form in plain fancy table xhtml; do
	say "Apache: $form"
	same "$APACHE/$form"
	[ "$(grep -c "^GET /$form/ 200" "$APACHE_LOG")" -eq 1 ] || fail "the folder was not asked for once"
done
say "Apache that does not show what is hidden"
same "$APACHE/ignoring" without-hidden
stop_mount
