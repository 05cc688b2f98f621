#!/bin/bash
# docs/examples: the prolog and the epilog, with a Slurm of one node.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
. "$(dirname "$0")/../support/examples.sh"
need_root
need_program jq munged slurmctld slurmd srun setpriv

start_nginx
echo "[policy]
allow = $HTTP/
[fetch]
ttl = 1h" >"$CONFIG"
artifacts model tool

# What slurmd calls: the example, in an environment of this test.
for name in prolog epilog; do
	cat >"$WORK/$name" <<-END
		#!/bin/bash
		export PATH=$PATH FETCHFS_CACHE=$CACHE FETCHFS_JOBS=$WORK/jobs ASAN_OPTIONS=$ASAN_OPTIONS
		exec $EXAMPLES/slurm-$name.sh >>$LOGS/$name 2>&1
	END
	chmod 755 "$WORK/$name"
done

start_slurm() {
	local dir=$WORK/slurm host ctld node
	host=$(hostname)
	ctld=$(free_port)
	until node=$(free_port) && [ "$node" -ne "$ctld" ]; do :; done
	mkdir -p "$dir"/{state,spool,munge}
	head -c 128 /dev/urandom >"$dir/munge/key"
	chmod 600 "$dir/munge/key"
	munged --foreground --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
		--pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" >"$LOGS/munged" 2>&1 &
	children+=($!)
	wait_for 20 test -S "$dir/munge/socket" || fail "munged does not start"
	export SLURM_CONF=$dir/slurm.conf
	cat >"$SLURM_CONF" <<-END
		ClusterName=test
		SlurmctldHost=$host(127.0.0.1)
		AuthInfo=socket=$dir/munge/socket
		SlurmUser=root
		SlurmctldPort=$ctld
		SlurmdPort=$node
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool
		SlurmctldPidFile=$dir/ctld.pid
		SlurmdPidFile=$dir/d.pid
		SlurmctldLogFile=$LOGS/slurmctld
		SlurmdLogFile=$LOGS/slurmd
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		MpiDefault=none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		ReturnToService=2
		SlurmdParameters=config_overrides
		Prolog=$WORK/prolog
		Epilog=$WORK/epilog
		PrologFlags=Alloc
		NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$node CPUs=1 State=UNKNOWN
		PartitionName=test Nodes=node1 Default=YES State=UP
	END
	slurmctld -D -f "$SLURM_CONF" >/dev/null 2>&1 &
	children+=($!)
	slurmd -D -N node1 -f "$SLURM_CONF" >/dev/null 2>&1 &
	children+=($!)
	wait_for 60 node_is idle || fail "the node does not come: $(sinfo 2>&1)"
}

node_is() {
	[ "$(sinfo -h -o %t)" = "$1" ]
}

submit() {
	as_task timeout 60 srun --quiet --chdir "$WORK/home" "$@" </dev/null
}

# The node is free again, which it is after the epilog.
over() {
	wait_for 60 node_is idle || fail "the node is $(sinfo -h -o %T)"
	leases_are 0
	[ -z "$(ls -A "$WORK/jobs" 2>/dev/null)" ] || fail "left: $(ls -A "$WORK/jobs")"
	no_mounts
}

start_slurm
mkdir "$WORK/home"
chown $TASK "$WORK/home"
jq -n --arg http "$HTTP" '[{value: "\($http)/model", method: "bind"}, {value: "\($http)/tool", output_file: "bin/tool"}]' \
	>"$WORK/home/spec.json"
export BOXES=$WORK/jobs

say "a job finds its artifacts, and the node is clean after it"
# shellcheck disable=SC2016 # for the job
submit --comment=fetchfs:spec.json sh -euc 'cd "$BOXES/$SLURM_JOB_ID"; sha256sum model bin/tool
	! echo x 2>/dev/null >>model; id -u' >"$WORK/out" || fail "the job failed: $(<"$LOGS/prolog")"
[ "$(cut -c1-64 "$WORK/out")" = "$(sha256 "$WWW/model" "$WWW/tool"; echo $TASK)" ] || fail "said: $(<"$WORK/out")"
over

say "a job that asks for nothing"
[ "$(submit echo it runs)" = "it runs" ] || fail "it does not run"
over

say "what cannot be had ends the job, not the node"
echo "[{\"value\": \"$HTTP/status/404\"}]" >"$WORK/home/none.json"
for file in none.json absent.json; do
	! submit --comment=fetchfs:$file echo it ran >"$WORK/out" 2>&1 || fail "$file: it went well"
	! grep -q 'it ran' "$WORK/out" || fail "$file: it ran"
	over
done
grep -q 'status/404' "$LOGS/prolog" || fail "nobody was told: $(<"$LOGS/prolog")"

say "the specification is read with the rights of the user"
jq -n --arg http "$HTTP" '[{value: "\($http)/model"}]' >"$WORK/secret.json"
chmod 600 "$WORK/secret.json"
ln -s "$WORK/secret.json" "$WORK/home/link.json"
! submit --comment=fetchfs:link.json echo it ran >"$WORK/out" 2>&1 || fail "it was read by root"
over
no_debris
