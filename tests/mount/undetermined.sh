#!/bin/bash
# Names without a suffix that nobody declared: folders on the way, files when they are the last.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq python3
start_origin
mkdir -p "$ORIGINROOT/org/repo/v1" "$ORIGINROOT/bin.d"
random_file 300K "$ORIGINROOT/org/repo/v1/x.tgz" x
random_file 200K "$ORIGINROOT/org/tool" tool
for i in {1..9}; do cp "$ORIGINROOT/org/tool" "$ORIGINROOT/org/tool$i"; done
cp "$ORIGINROOT/org/tool" "$ORIGINROOT/bin.d/tool"
printf '[policy]\nprivate = allow\n[fetch]\nnegative_ttl = 1h\n' >"$CONFIG"
start_mount
host=$MNT/http/${ORIGIN#http://}

# asked METHOD PATH: how often; both are extended regular expressions.
asked() {
	quiet_origin
	origin_requests "$1" "$2"
}

# python CODE [ARGUMENT…]: with what the tests below need.
python() {
	local code=$1
	shift
	timeout 60 python3 -c "import errno, os, stat, sys
def outcome(f, *args, **named):
    try:
        return f(*args, **named)
    except OSError as e:
        return errno.errorcode[e.errno]
def kind(result):
    if isinstance(result, str): return result
    return 'file' if stat.S_ISREG(result.st_mode) else 'folder'
$code" "$@"
}

say "a walk through them asks nobody about them"
cmp "$ORIGINROOT/org/repo/v1/x.tgz" "$host/org/repo/v1/x.tgz" || fail "x.tgz"
[ "$(asked HEAD '/org.*')" -eq 1 ] || fail "asked: $(<"$ORIGIN_LOG")"
[ "$(asked HEAD /org/repo/v1/x.tgz)" -eq 1 ] || fail "asked: $(<"$ORIGIN_LOG")"
[ "$(python 'print(kind(os.stat(sys.argv[1])))' "$host/org/repo")" = folder ] || fail "known below"
[ "$(asked HEAD '/org(/repo)?')" -eq 0 ] || fail "what is known below it makes a folder"

say "cold, by each call that shows that it was the last name"
cmp "$ORIGINROOT/org/tool" "$host/org/tool" || fail "open"
[ "$(asked HEAD /org/tool)" -eq 1 ] || fail "HEAD: $(asked HEAD /org/tool)"
[ "$(asked GET /org/tool)" -eq 1 ] || fail "GET: $(asked GET /org/tool)"
[ "$(stat -c '%F %s' "$host/org/tool1")" = "regular file 204800" ] || fail "stat"
[ "$(python 'print(outcome(os.access, sys.argv[1], os.R_OK))' "$host/org/tool2")" = True ] ||
	fail "access R_OK"
[ "$(python 'print(outcome(os.access, sys.argv[1], os.X_OK))' "$host/org/tool3")" = False ] ||
	fail "access X_OK"
[ "$(python 'print(outcome(os.chdir, sys.argv[1]))' "$host/org/tool4")" = ENOTDIR ] || fail "chdir"
[ "$(python 'print(outcome(os.access, sys.argv[1], os.W_OK))' "$host/org/tool5")" = False ] ||
	fail "access W_OK"

say "what one has learned, all know, and nobody asks again"
for i in 1 2 3 4; do
	[ "$(fetchfs stat --json "$ORIGIN/org/tool$i" | jq -r .size)" = 204800 ] || fail "stat tool$i"
	[ "$(stat -c %F "$host/org/tool$i")" = "regular file" ] || fail "tool$i"
	[ "$(asked HEAD "/org/tool$i")" -eq 1 ] || fail "tool$i: $(asked HEAD "/org/tool$i") times"
done
fetchfs stat "$ORIGIN/org/tool6" >/dev/null
[ "$(stat -c %F "$host/org/tool6")" = "regular file" ] || fail "tool6"
[ "$(asked HEAD /org/tool6)" -eq 1 ] || fail "tool6 was known"

say "what is not there is absent for who asks, a folder for who walks or enters"
expect_errno ENOENT "$host/org/none"
[ "$(python 'print(kind(outcome(os.stat, sys.argv[1])))' "$host/org/none")" = ENOENT ] || fail "stat"
[ "$(python 'print(outcome(os.access, sys.argv[1], os.F_OK))' "$host/org/none")" = False ] ||
	fail "access"
[ "$(asked HEAD /org/none)" -eq 1 ] || fail "a 404 is asked again"
[ "$(python 'os.chdir(sys.argv[1]); print(kind(os.stat(".")))' "$host/org/other")" = folder ] ||
	fail "what was entered is a folder"
[ "$(python '
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
print(os.listdir(fd), kind(os.fstat(fd)), kind(os.stat(sys.argv[1])))' "$host/org/third")" = "[] folder folder" ] ||
	fail "opened as a folder: $(python 'print(os.listdir(sys.argv[1]))' "$host/org/third")"
[ "$(asked HEAD /org/third)" -eq 0 ] || fail "O_DIRECTORY asks"

say "a thread that holds the node, not the name, is told once"
[ "$(python '
fd = os.open(sys.argv[1], os.O_PATH)
print(*[kind(outcome(os.fstat, fd)) for i in range(3)], kind(os.stat(sys.argv[1])))' "$host/org/tool7")" = \
	"ESTALE folder folder file" ] || fail "O_PATH"

say "extended attributes never ask"
python 'print(outcome(os.getxattr, sys.argv[1], "user.fetchfs.state"))' "$host/org/tool8" >/dev/null
[ "$(asked HEAD /org/tool8)" -eq 0 ] || fail "an attribute asks"

say "twenty at once"
readers=()
for i in {1..20}; do
	cmp "$ORIGINROOT/org/tool9" "$host/org/tool9" &
	readers+=($!)
done
children+=("${readers[@]}")
for pid in "${readers[@]}"; do wait "$pid" || fail "one of twenty"; done
[ "$(asked GET /org/tool9)" -eq 1 ] || fail "GET: $(asked GET /org/tool9)"
[ "$(asked HEAD /org/tool9)" -le 2 ] || fail "HEAD: $(asked HEAD /org/tool9)"

say "a folder that is called like a file is asked for, and is none if its origin has none"
expect_errno ENOENT "$host/bin.d/tool"
stop_mount

say "lookup_head = none: then it is a folder like others"
echo 'lookup_head = none' >>"$CONFIG"
fetchfs evict --all 2>/dev/null || :
rm -rf "$CACHE"
start_mount
cmp "$ORIGINROOT/org/tool" "$host/bin.d/tool" || fail "bin.d/tool"
cmp "$ORIGINROOT/org/repo/v1/x.tgz" "$host/org/repo/v1/x.tgz" || fail "x.tgz"
expect_errno ENOENT "$host/org/none.tgz"
stop_mount

say "lookup_head = all: folders must be there, too"
sed -i 's/none$/all/' "$CONFIG"
rm -rf "$CACHE"
start_mount
expect_errno ENOENT "$host/org/repo/v1/x.tgz"
fetchfs fetch "$ORIGIN/org/tool" "$ORIGIN/org/repo/v1/x.tgz"
cmp "$ORIGINROOT/org/tool" "$host/org/tool" || fail "tool"
cmp "$ORIGINROOT/org/repo/v1/x.tgz" "$host/org/repo/v1/x.tgz" || fail "x.tgz"
stop_mount

say "-o known: nobody is asked"
before=$(wc -l <"$ORIGIN_LOG")
start_mount -o known
cmp "$ORIGINROOT/org/tool" "$host/org/tool" || fail "tool"
expect_errno ENOENT "$host/org/tool1"
[ "$(python 'print(outcome(os.chdir, sys.argv[1]))' "$host/org/tool1")" = ENOENT ] || fail "chdir"
quiet_origin
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$before" ] || fail "it asked"
stop_mount
