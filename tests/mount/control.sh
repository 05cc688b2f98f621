#!/bin/bash
# .fetchfs/metrics and .fetchfs/log, and user.fetchfs.error: what an operator looks at.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq getfattr python3

start_origin
printf 'a%.0s' {1..1000} >"$ORIGINROOT/a.bin"
random_file 3M "$ORIGINROOT/large.bin"
printf '[fetch]\nnegative_ttl = 0\nttl = 1h\nretries = 1\n[cache]\nsize = 64M\n' >"$CONFIG"
start_mount
tree=$MNT/${ORIGIN/:\//}

# metric NAME: its value. All that is there is read, as strictly as Prometheus does.
metric() {
	python3 - "$MNT/.fetchfs/metrics" "$1" <<-'END'
		import re, sys
		values, types = {}, {}
		for line in open(sys.argv[1]):
		    if line.startswith("# TYPE "):
		        name, kind = line.split()[2:]
		        assert name not in types, line
		        types[name] = kind
		        continue
		    if line.startswith("# HELP "):
		        continue
		    match = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[^"\\]*"\})? ([0-9.]+)\n', line)
		    assert match, line
		    base = match[1]
		    if base not in types:
		        base = re.sub("_(bucket|sum|count)$", "", base)
		        assert types.get(base) == "histogram", line
		    key = match[1] + (match[2] or "")
		    assert key not in values, line
		    values[key] = float(match[3])
		for name in (n for n, kind in types.items() if kind == "histogram"):
		    buckets = [v for k, v in values.items() if k.startswith(f"{name}_bucket")]
		    assert len(buckets) == 15 and buckets == sorted(buckets), name
		    assert buckets[-1] == values[f"{name}_count"], name
		print(f"{values[sys.argv[2]]:.12g}")
	END
}

# metric_is VALUE NAME
metric_is() {
	local value
	value=$(metric "$2") || fail "$2: cannot be read: $(<"$MNT/.fetchfs/metrics")"
	[ "$value" = "$1" ] || fail "$2 is $value, not $1"
}

say "a fresh mount counts nothing"
for name in hits_total misses_total fetched_bytes_total 'errors_total{kind="remote"}' \
	'events_total{event="fetched"}' download_seconds_count in_flight waiting; do
	metric_is 0 "fetchfs_$name"
done
metric_is $((64 << 20)) fetchfs_cache_limit_bytes
[ -z "$(<"$MNT/.fetchfs/log")" ] || fail "log: $(<"$MNT/.fetchfs/log")"

say "misses, hits and what they bring"
cmp "$tree/a.bin" "$ORIGINROOT/a.bin"
settle_mount
cmp "$tree/a.bin" "$ORIGINROOT/a.bin"
metric_is 1 fetchfs_misses_total
metric_is 1 fetchfs_hits_total
metric_is 1000 fetchfs_hit_bytes_total
metric_is 1000 fetchfs_fetched_bytes_total
metric_is 1 'fetchfs_events_total{event="fetched"}'
metric_is 1 fetchfs_download_seconds_count
metric_is 1 fetchfs_answer_seconds_count
metric_is 1 fetchfs_cache_entries
cd "$tree" # or the kernel might have forgotten all of them
[ "$(metric fetchfs_nodes)" -ge 4 ] || fail "nodes: $(metric fetchfs_nodes)"
cd "$OLDPWD"
grep -Eq "^20[0-9T:.-]+Z fetched   $ORIGIN/a\.bin \(1000 B in [0-9.]+ s\)\$" "$MNT/.fetchfs/log" ||
	fail "log: $(<"$MNT/.fetchfs/log")"

say "errors: counted, in the log, and told by the name or its folder"
expect_errno ENOENT "$tree/none.bin"
getfattr --absolute-names --only-values -n user.fetchfs.error "$tree" >"$WORK/error"
grep -q '^none\.bin: .*not found' "$WORK/error" || fail "error: $(<"$WORK/error")"
printf 'b%.0s' {1..1000} >"$ORIGINROOT/b.bin"
expect_errno EBADMSG "$(at "$ORIGIN/b.bin#sha256=$(printf "0%.0s" {1..64})")"
metric_is 1 'fetchfs_errors_total{kind="integrity"}'
metric_is 1 'fetchfs_events_total{event="failed"}'
grep -Eq " retried   $ORIGIN/b\.bin: .*sha256" "$MNT/.fetchfs/log" || fail "log: $(<"$MNT/.fetchfs/log")"
grep -Eq " failed    $ORIGIN/b\.bin: .*sha256" "$MNT/.fetchfs/log" || fail "log: $(<"$MNT/.fetchfs/log")"

say "what the policy refuses: counted, and one line, however often it is asked for"
expect_errno EACCES "$MNT/file/etc/passwd"
expect_errno EACCES "$MNT/file/etc/passwd"
[ "$(metric 'fetchfs_errors_total{kind="policy"}')" -ge 2 ] || fail "$(grep policy "$MNT/.fetchfs/metrics")"
[ "$(grep -c ' failed    file:///etc/passwd: .*policy' "$MNT/.fetchfs/log")" -eq 1 ] ||
	fail "log: $(<"$MNT/.fetchfs/log")"
if [ "$(id -u)" -eq 0 ]; then
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${nobody[@]}" cat "$MNT/.fetchfs/log" >"$WORK/theirs"
	! grep -q passwd "$WORK/theirs" || fail "others see what was refused to root"
	! "${nobody[@]}" cat "$MNT/file/etc/passwd" 2>/dev/null || fail "not refused"
	"${nobody[@]}" cat "$MNT/.fetchfs/log" >"$WORK/theirs"
	[ "$(grep -c passwd "$WORK/theirs")" -eq 1 ] || fail "nobody sees: $(<"$WORK/theirs")"
fi

say "what another process does is in the log, too"
fetchfs fetch "$ORIGIN/large.bin?public"
grep -q "fetched   $ORIGIN/large.bin?… " "$MNT/.fetchfs/log" || fail "log: $(<"$MNT/.fetchfs/log")"
cmp "$tree/large.bin" "$ORIGINROOT/large.bin"
settle_mount
fetchfs evict "$ORIGIN/a.bin"
tail -n 1 "$MNT/.fetchfs/log" | grep -Eq " evicted   $ORIGIN/a\.bin \([0-9.]+ KiB\)\$" ||
	fail "log: $(tail "$MNT/.fetchfs/log")"

say "an old version is confirmed, or stands in"
printf '[fetch]\nttl = 0\nretries = 1\n' >"$CONFIG"
fetchfs fetch --refresh "$ORIGIN/large.bin"
tail -n 1 "$MNT/.fetchfs/log" | grep -q " confirmed $ORIGIN/large.bin\$" || fail "$(tail "$MNT/.fetchfs/log")"
kill "$ORIGIN_PID"
wait_for 10 gone "$ORIGIN_PID" || fail "the origin lives on"
fetchfs fetch "$ORIGIN/large.bin" 2>/dev/null
tail -n 1 "$MNT/.fetchfs/log" | grep -q " stale     $ORIGIN/large.bin: .*onnect" || fail "$(tail "$MNT/.fetchfs/log")"

say "a private event is its owner's and root's; so is why something failed"
if [ "$(id -u)" -eq 0 ]; then
	setpriv --reuid=65534 --regid=65534 --clear-groups cat "$MNT/.fetchfs/log" >"$WORK/theirs"
	grep -q " confirmed $ORIGIN/large.bin\$" "$WORK/theirs" || fail "others do not see what is public"
	! grep -q 'large.bin?' "$WORK/theirs" || fail "others see what is private: $(<"$WORK/theirs")"
	! setpriv --reuid=65534 --regid=65534 --clear-groups \
		getfattr --absolute-names -n user.fetchfs.error "$tree" 2>/dev/null ||
		fail "others see what root ran into"
fi

say "the dashboard asks for what there is"
python3 - "$MNT/.fetchfs/metrics" "$FETCHFS_SOURCE/docs/grafana.json" <<-'END' || fail "the dashboard"
	import json, re, sys
	types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", open(sys.argv[1]).read(), re.M))
	board = json.load(open(sys.argv[2]))
	asked = [t["expr"] for p in board["panels"] for t in p["targets"]]
	asked += [a["expr"] for a in board["annotations"]["list"]]
	asked += [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]
	names = set()
	for expr in asked:
	    assert expr.count("(") == expr.count(")"), expr
	    for rate, name in re.findall(r"(rate\()?\b(fetchfs_[a-z_]+)", expr):
	        base = re.sub("_bucket$", "", name)
	        assert base in types, name
	        assert (types[base] == "gauge") == (not rate), expr
	        names.add(base)
	assert len(names) > 20, names
	ids = [p["id"] for p in board["panels"]]
	assert len(set(ids)) == len(ids) > 10, ids
END
stop_mount
