#!/bin/bash
# Nobody wants it any more: the transfer ends, and the origin sees it. Somebody else does: it goes on.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program curl jq python3

# No more connections for speed: what is in their sockets when one ends is sent in vain.
printf '[fetch]\nper_host = 2\n' >"$CONFIG"
start_origin
random_file 8M "$ORIGINROOT/a.bin" a
for name in b c d; do cp "$ORIGINROOT/a.bin" "$ORIGINROOT/$name.bin"; done

running() {
	wait_for 20 origin_stat_is running "$1" || fail "$(origin_stat running) requests run, not $1"
}

is_fetchfs() {
	[ "/proc/$1/exe" -ef "$FETCHFS" ]
}

# interrupt URI: Ctrl-C on a fetch of it, while the origin is asked
interrupt() {
	python3 - "${fetchfs[@]}" fetch "$1" >"$WORK/took" <<-'END' &
		import signal, subprocess, sys, time
		signal.signal(signal.SIGINT, signal.SIG_DFL) # the shell's background ignores it
		fetch = subprocess.Popen(sys.argv[1:])
		signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
		signal.sigwait({signal.SIGUSR1})
		start = time.monotonic()
		fetch.send_signal(signal.SIGINT)
		if fetch.wait(30) != -signal.SIGINT:
		    sys.exit(f"ended with {fetch.returncode}")
		print(int((time.monotonic() - start) * 1000))
	END
	local pid=$!
	children+=("$pid")
	running 1
	kill -USR1 "$pid"
	wait "$pid" || fail "$1: not ended by SIGINT"
	[ "$(<"$WORK/took")" -lt 2000 ] || fail "$1: ended after $(<"$WORK/took") ms"
	running 0
}

say "Ctrl-C ends a fetch at once: of a body that is slow or stalls, and of no answer"
interrupt "$ORIGIN/rate/100000/a.bin"
interrupt "$ORIGIN/stall/1000000/a.bin"
interrupt "$ORIGIN/hang/a.bin"

say "Ctrl-C while it waits to try again"
before=$(origin_stat requests)
"${fetchfs[@]}" fetch "$ORIGIN/retryafter/50/99/503/a.bin" &
pid=$!
children+=("$pid")
asked_again() {
	[ "$(origin_stat requests)" -gt "$before" ]
}
wait_for 20 asked_again || fail "not asked"
running 0
kill -TERM "$pid"
wait_for 5 gone "$pid" || fail "it waits on"

start_mount

say "a killed reader ends its download"
cat "$(at "$ORIGIN/rate/200000/b.bin")" >"$WORK/part" 2>/dev/null &
reader=$!
children+=("$reader")
running 1
# (one that is killed after its open, and before its first read, has left like any other)
wait_for 20 test -s "$WORK/part" || fail "nothing is read"
kill "$reader"
running 0

say "an open that a signal interrupts ends its request, though the caller lives on"
# (A read that waits for a page is interrupted by the kernel only if the signal kills.)
python3 - "$(at "$ORIGIN/hang/b.bin")" <<-'END' &
	import os, signal, sys
	class Interrupted(Exception):
	    pass
	def on_alarm(number, frame):
	    raise Interrupted
	signal.signal(signal.SIGALRM, on_alarm)
	signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
	signal.setitimer(signal.ITIMER_REAL, 2)
	try:
	    os.open(sys.argv[1], os.O_RDONLY)
	    sys.exit("it was opened")
	except Interrupted:
	    pass
	signal.sigwait({signal.SIGUSR1})
END
reader=$!
children+=("$reader")
running 1
running 0
kill -USR1 "$reader" || fail "the caller is dead"
wait "$reader" || fail "not interrupted"

say "a second reader keeps it going, and gets all of it from one download"
before=$(origin_stat bytes)
file=$(at "$ORIGIN/rate/3000000/c.bin")
cat "$file" >"$WORK/one" 2>/dev/null &
one=$!
cat "$file" >"$WORK/two" &
two=$!
children+=("$one" "$two")
some_came() {
	[ "$(stat -c %s "$WORK/one")" -ge 1000000 ] && [ "$(stat -c %s "$WORK/two")" -ge 1000000 ]
}
wait_for 30 some_came || fail "no bytes"
kill -KILL "$one"
wait "$two" || fail "the second reader failed"
cmp "$WORK/two" "$ORIGINROOT/a.bin" || fail "other bytes"
quiet_origin
sent=$(($(origin_stat bytes) - before))
[ $sent -le $(((8 << 20) + 4 * 262144)) ] || fail "$sent bytes for one file of 8 MiB"

say "a fetch beside a reader: a signal ends the one, not the other"
file=$(at "$ORIGIN/rate/2000000/d.bin")
cat "$file" >"$WORK/one" &
one=$!
children+=("$one")
running 1
"${fetchfs[@]}" fetch "$ORIGIN/rate/2000000/d.bin" &
pid=$!
children+=("$pid")
# (Before it is fetchfs it is this shell, with its trap, which would clean up.)
wait_for 10 is_fetchfs "$pid" || fail "the fetch does not start"
kill -TERM "$pid"
wait_for 5 gone "$pid" || fail "the fetch waits on"
wait "$one" || fail "the reader failed"
cmp "$WORK/one" "$ORIGINROOT/a.bin" || fail "other bytes"
stop_mount
