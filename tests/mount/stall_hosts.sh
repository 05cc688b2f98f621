#!/bin/bash
# Hosts that say nothing hang who asks for their names, and take nothing from the other hosts.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq python3
start_origin --folders page
for i in {1..100}; do echo "$i" >"$ORIGINROOT/new$i.tgz"; done
mkdir "$ORIGINROOT/listed"
printf '<a href="one">one</a>\n' >"$ORIGINROOT/listed/index.html"

# Hosts that accept all connections and say nothing, but that they know no HEAD of some names: each of these, at
# $SILENT.
hosts=(127.0.0.{1..6} 127.0.1.{1..40})
cat >"$WORK/silent.py" <<'END'
import selectors, socket, sys
port, hosts = int(sys.argv[1]), sys.argv[2:]
selector = selectors.DefaultSelector()
def take(listener):
    connection = listener.accept()[0]
    selector.register(connection, selectors.EVENT_READ, lambda: drop(connection))
    print("came", flush=True)
def drop(connection):
    request = connection.recv(65536)
    if not request:
        selector.unregister(connection)
        connection.close()
    if request.startswith(b"HEAD /nohead"):
        connection.sendall(b"HTTP/1.1 405 no\r\nContent-Length: 0\r\n\r\n")
    print(request.split(b"\r")[0].decode() or "went", flush=True)
for host in hosts:
    listener = socket.create_server((host, port), backlog=4096)
    selector.register(listener, selectors.EVENT_READ, lambda listener=listener: take(listener))
print("listening", flush=True)
while True:
    for key, _ in selector.select():
        key.data()
END
SILENT=$(free_port)
python3 "$WORK/silent.py" "$SILENT" "${hosts[@]}" >"$LOGS/silent" 2>&1 &
children+=($!)
wait_for 10 grep -q ^listening "$LOGS/silent" || fail "the silent hosts do not start"
printf '[policy]\nprivate = allow\n[fetch]\nfirst_byte = 60s\nconnect = 60s\n' >"$CONFIG"
printf '[origin "%s"]\nlist = yes\n' "$ORIGIN/listed/" "http://127.0.0.1:$SILENT/listed/" >>"$CONFIG"
start_mount
host=$MNT/http/${ORIGIN#http://}
stat "$host/new1.tgz" >/dev/null || fail "new1.tgz"

# ask_in_vain HOST NAME COUNT: about so many names of that host; all who asked are gone.
cat >"$WORK/ask.py" <<'END'
import errno, os, sys, threading
def ask(path):
    try:
        os.stat(path)
        wrong.append("%s is there" % path)
    except OSError as e:
        if e.errno != errno.EAGAIN:
            wrong.append(str(e))
wrong = []
host, name, count = sys.argv[1:]
threads = [threading.Thread(target=ask, args=("%s/%s%d.tgz" % (host, name, i),)) for i in range(int(count))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("\n".join(wrong[:3]) or 0)
END
ask_in_vain() {
	timeout 60 python3 "$WORK/ask.py" "$MNT/http/$1:$SILENT" "$2" "$3" || fail "$1: not EAGAIN in time"
}
# open_are TEST N: so many connections to them are.
open_are() {
	local came went
	came=$(grep -c ^came "$LOGS/silent" || :)
	went=$(grep -c ^went "$LOGS/silent" || :)
	test $((came - went)) "$1" "$2"
}

# While so many names of each of those hosts have just been asked for, and hang.
healthy() {
	local hang=("$@") name command
	for command in "stat $host/new{}.tgz" "ls $host" "ls $host/listed" "stat $host/new1.tgz"; do
		for name in "${hang[@]}"; do
			rounds=$((rounds + 1))
			ask_in_vain "$name" "x$rounds-" $((200 / ${#hang[@]}))
		done
		open_are -ge 20 || fail "the silent hosts were not asked"
		# shellcheck disable=SC2086 # words
		quick 600 $command
	done
}
rounds=0

say "one host, 200 names that nobody waits for any more: other names are what they were"
healthy 127.0.0.1

say "five more hosts: likewise"
healthy 127.0.0.{2..6}

say "forty more: names may wait, but what is known is fetched"
looks=80
# (A loaded machine may take longer for a HEAD than a lookup waits.)
wait_for 30 stat "$host"/new{81..89}.tgz >/dev/null || fail "new names"
hanging=()
for i in {1..40}; do
	ask_in_vain "127.0.1.$i" many 6 &
	hanging+=($!)
done
wait "${hanging[@]}"
open_are -ge 40 || fail "the silent hosts were not asked"
quick 1000 cat "$host/new{}.tgz"

say "what nobody waits for ends, soon; so does a listing"
wait_for 30 open_are -eq 0 || fail "they are asked on and on"
timeout 20 ls "$MNT/http/127.0.0.1:$SILENT/listed" >/dev/null 2>&1 &
lister=$!
children+=("$lister")
wait_for 15 grep -q '^GET /listed/' "$LOGS/silent" || fail "no listing"
kill "$lister"
ask_in_vain 127.0.0.1 nohead 1
wait_for 10 grep -q '^GET /nohead' "$LOGS/silent" || fail "no GET of what knows no HEAD"
wait_for 30 open_are -eq 0 || fail "connections are left"

say "but not at once: an answer that is late for the lookup is there for the next"
expect_errno EAGAIN "$host/latency/2000/new1.tgz"
wait_for 10 test -f "$host/latency/2000/new1.tgz" || fail "it was not remembered"
[ "$(origin_requests HEAD /latency/2000/new1.tgz)" -eq 1 ] || fail "asked again"

say "the daemon ends while they hang"
ask_in_vain 127.0.0.1 end 200
stop_mount
