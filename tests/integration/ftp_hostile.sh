#!/bin/bash
# FTP servers that break the protocol, or want to do harm: each is an error in time, and nobody else
# waits for them.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/ftp.sh"
need_fuse
need_program jq python3 getfattr

# configure LINE…
configure() {
	printf '%s\n' '[fetch]' 'retries = 0' 'stall = 2s' 'first_byte = 3s' 'connect = 3s' 'ttl = 0s' \
		'negative_ttl = 0s' '[policy]' 'private = allow' "$@" >"$CONFIG"
}

# soon STATUS REGEX URI: a failure within ten seconds.
soon() {
	local took
	took=$(milliseconds expect_failure "$1" "$2" "${fetchfs[@]}" fetch "$3")
	[ "$took" -lt 10000 ] || fail "$3: $took ms"
}

good() {
	[ "$(fetchfs cat "$1" | wc -c)" -eq 100096 ] || fail "$1: other bytes"
}

start_bad_ftp
configure

say "answers without an end, lines without an end"
soon '[13]' 'longer than|too long|answer|line' "$BAD/endless/x"
soon '[13]' 'longer than|too long|answer|line' "$BAD/endline/x"
soon '[13]' 'longer than|226|partial|stalled' "$BAD/chatter/x"
good "$BAD/good/x"

say "a data connection that stalls, ends early, or brings more than was said"
soon 3 'stalled|shorter|answer' "$BAD/stall/x"
soon 3 'shorter|partial' "$BAD/cut/x"
soon '[13]' '451|shorter|partial' "$BAD/error/x"
good "$BAD/long/x"

say "the server sends all, and never says so: readers have it all at once, and others do not wait"
start_mount
cat "$(at "$BAD/silent/x")" >"$WORK/silent" 2>"$LOGS/silent" &
pid=$!
children+=("$pid")
asked_for_silent() {
	grep -q 'RETR .*silent/x' "$BAD_LOG"
}
silent_came() {
	[ "$(stat -c %s "$WORK/silent")" -eq 100096 ]
}
wait_for 20 asked_for_silent || fail "not asked"
took=$(milliseconds fetchfs cat "$BAD/good/y")
[ "$took" -lt 1900 ] || fail "another process waits for $took ms"
took=$(milliseconds cat "$(at "$BAD/good/z")")
[ "$took" -lt 1900 ] || fail "another file of the same host waits for $took ms"
wait_for 20 silent_came || fail "the bytes are kept back"
wait "$pid" || :
stop_mount

say "QUIT is not waited for"
took=$(milliseconds fetchfs cat "$BAD/good/quit")
[ "$took" -lt 3000 ] || fail "$took ms"

say "550 after SIZE said how long it is: denied; 550 to SIZE: not there"
soon 1 '550: Failed to open' "$BAD/denied/x"
soon 1 'no such file' "$BAD/missing/x"
stop_bad_ftp

say "the data is elsewhere: at another address, which is not asked; at a port of another service"
cat >"$WORK/other.py" <<-'END'
	import os, socket, sys
	server = socket.create_server(("127.0.0.2", 0))
	with open(sys.argv[1] + ".new", "w") as out:
	    out.write(str(server.getsockname()[1]))
	os.rename(sys.argv[1] + ".new", sys.argv[1])
	while True:
	    client, _ = server.accept()
	    with open(sys.argv[2], "a") as log:
	        log.write("somebody came\n")
	    client.sendall(b"what is not meant for us")
	    client.close()
END
: >"$LOGS/other"
python3 "$WORK/other.py" "$WORK/other.port" "$LOGS/other" 2>"$LOGS/other-stderr" &
children+=($!)
wait_for 10 test -s "$WORK/other.port" || fail "the other service does not start"
start_bad_ftp data=elsewhere "other=$(<"$WORK/other.port")" no=EPSV
soon '[13]' '.' "$BAD/good/x"
[ ! -s "$LOGS/other" ] || fail "the other service was asked"
stop_bad_ftp
for no in '' EPSV; do
	start_bad_ftp data=low "no=$no"
	soon 1 'port 22' "$BAD/good/x"
	stop_bad_ftp
done
start_bad_ftp data=refused
soon '[13]' 'connect|refused' "$BAD/good/x"
stop_bad_ftp

say "greetings"
start_bad_ftp greeting=none
soon 3 'within|answer' "$BAD/good/x"
stop_bad_ftp
start_bad_ftp greeting=endless
soon '[13]' 'longer than|within' "$BAD/good/x"
stop_bad_ftp

say "servers that know little: no SIZE, no MDTM, no REST"
for no in SIZE MDTM REST EPSV SIZE,MDTM,REST; do
	start_bad_ftp "no=$no"
	good "$BAD/good/x"
	stop_bad_ftp
done

# all_b PATH SIZE: it becomes another file in the middle of its sending, of which nobody gets half.
all_b() {
	head -c "$2" /dev/zero | tr '\0' b >"$WORK/b"
	fetchfs fetch -q "$BAD/$1" || fail "$1 is not fetched"
	fetchfs cat "$BAD/$1" | cmp - "$WORK/b" || fail "$1 is a mixture"
}
retrs() {
	grep -c "^RETR $1" "$BAD_LOG" || :
}

say "a file that is another one before its last byte came is fetched anew, not mixed"
for no in '' MDTM SIZE; do
	start_bad_ftp "no=$no"
	configure '[fetch]' 'retries = 1' 'ttl = 1h'
	[ "$no" = MDTM ] || all_b swap/1000 1000
	[ "$no" = MDTM ] || all_b swap/3000000 3000000
	[ "$no" = SIZE ] || all_b grow/1000 1001
	[ "$no" = SIZE ] || all_b grow/3000000 3000001
	stop_bad_ftp
done
start_bad_ftp
configure '[fetch]' 'retries = 2' 'ttl = 1h'
all_b torn/4000000 4000000
grep -q '^REST [1-9]' "$BAD_LOG" || fail "it did not go on"
[ "$(retrs torn)" -eq 3 ] || fail "$(<"$BAD_LOG")"
configure '[fetch]' 'ttl = 1h'
all_b swap/2000 2000
expect_failure 1 'no such file' "${fetchfs[@]}" fetch "$BAD/gone/1000"

say "to look again takes no connection of its own, and who leaves with the last byte has it"
configure '[fetch]' 'ttl = 1h'
start_mount
opened=$(grep -c '^open' "$BAD_LOG")
head -c 3000000 /dev/zero | tr '\0' b | cmp - "$(at "$BAD/late/3000000")" || fail "other bytes"
! nothing_in_flight || fail "it was not looked at again"
: >"$WORK/bad.port.go"
settle_mount
[ "$(grep -c '^open' "$BAD_LOG")" -eq $((opened + 1)) ] || fail "$(<"$BAD_LOG")"
[ "$(grep -c '^MDTM late' "$BAD_LOG")" -eq 2 ] || fail "$(<"$BAD_LOG")"
stop_mount
stop_bad_ftp
[ "$(fetchfs cat "$BAD/late/3000000" | wc -c)" -eq 3000000 ] || fail "it was let go"

say "listings: only what is a name, no way out, no circle"
start_bad_ftp
configure "[origin \"$BAD/\"]" "list = yes"
start_mount
tree=$MNT/${BAD/:\/\//\/}
why() {
	getfattr --absolute-names --only-values -n user.fetchfs.error "$tree/$1"
}
LC_ALL=C ls -A1 --color=never "$tree/hostile" >"$WORK/seen"
printf '%s\n' good folder link 'a%20b+c%2541%3F%23%3Btype=a' 'back%5Cslash' '%C3%84' '%FF%FE' last |
	LC_ALL=C sort | diff - "$WORK/seen" || fail "other names"
for folder in forever drip; do
	took=$(milliseconds ls "$tree/$folder")
	[ "$took" -lt 70000 ] || fail "$folder: $took ms"
	why $folder | grep -Eq 'more than|stalled|takes' || fail "$folder: $(why $folder)"
done
ls "$tree/nonsense" >/dev/null
why nonsense | grep -q 'of no known form' || fail "$(why nonsense)"
[ "$(ls --color=never "$tree/facts")" = one ] || fail "no facts"
stop_mount
