#!/bin/bash
# shellcheck disable=SC2153,SC2016,SC2012,SC2002 # scripts for other shells; ls and cat are what is tested
# Shells, find and Python walking the natural tree, cold and warm, whatever parent paths answer.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/matrix.sh"
need_root
need_fuse
need_program jq python3 dash

cd_() {
	(cd "$TREE/org/repo/v1" && cmp model "$REAL/org/repo/v1/model") || fail "cd, then a name"
	(cd "$TREE" && cd org && cd repo/v1/sub && cmp z "$REAL/org/repo/v1/sub/z") || fail "cd by cd"
	(cd "$TREE/org/repo/v1/sub/.." && [ "$(pwd)" = "$TREE/org/repo/v1" ]) || fail "cd .."
	(cd -P "$TREE/org/repo" && [ "$(pwd -P)" = "$TREE/org/repo" ]) || fail "cd -P"
	! (cd "$TREE/org/repo/v1/x.tgz" 2>/dev/null) || fail "into a file"
}

# ls -d of a folder that its origin does not have fails; what is below it comes all the same.
ls_() {
	if [ "$STATE$KIND" = coldnone ]; then
		! ls -d "$TREE/org/repo/v1" 2>/dev/null || fail "404 is there"
	else
		[ "$(ls -d "$TREE/org/repo/v1")" = "$TREE/org/repo/v1" ] || fail "ls -d"
	fi
	cat "$TREE/org/repo/v1/sub/z" | cmp - "$REAL/org/repo/v1/sub/z" || fail "cat below"
	[ "$(ls -d "$TREE/org/repo/v1")" = "$TREE/org/repo/v1" ] || fail "ls -d, with z known"
	[ "$(ls "$TREE/org/repo/v1/sub")" = z ] || fail "ls: $(ls "$TREE/org/repo/v1/sub")"
	[ "$(ls -l "$TREE/org/repo/v1/x.tgz" "$TREE/org/repo/v1/model" | wc -l)" -eq 2 ] || fail "ls -l"
}

completion() {
	make_known org/repo/v1/sub/{y.bin,z} org/repo/v1/model
	[ "$(bash -c 'cd "$1" && compgen -f org/repo/v1/' _ "$TREE" | sort | xargs)" = \
		"org/repo/v1/model org/repo/v1/sub" ] || fail "$(bash -c 'compgen -f "$1/org/repo/v1/"' _ "$TREE")"
	[ "$(bash -c 'compgen -d "$1/org/repo/v"' _ "$TREE")" = "$TREE/org/repo/v1" ] || fail "-d"
	[ "$(bash -c 'compgen -f "$1/org/repo/v1/sub/y"' _ "$TREE")" = "$TREE/org/repo/v1/sub/y.bin" ] ||
		fail "a prefix"
}

find_() {
	[ "$(find "$TREE/org/repo/v1/x.tgz" -printf '%y %s\n')" = "f 307200" ] || fail "a file"
	[ "$(find "$TREE/org/repo/v1/model" -type f)" = "$TREE/org/repo/v1/model" ] || fail "a model"
	[ "$(cd "$TREE" && find . -type f | sort | xargs)" = "./org/repo/v1/model ./org/repo/v1/x.tgz" ] ||
		fail "$(find "$TREE")"
}

# What was fetched as executable is 0555, for the kernel, too; execve() needs the name to be known.
exec_() {
	local shell name
	fetchfs fetch --executable "$ORIGIN/org/repo/v1/run" "$ORIGIN/org/repo/v1/run.sh"
	ln -sfn "$TREE/org/repo/v1" "$WORK/v1" # a colon, as before a port, ends a name in PATH
	for shell in bash dash; do
		for name in run run.sh; do
			[ "$($shell -c '"$1" 1' _ "$TREE/org/repo/v1/$name")" = "script 1" ] ||
				fail "$shell $name"
			[ "$($shell -c 'PATH=$1:$PATH; '"$name 2" _ "$WORK/v1")" = "script 2" ] ||
				fail "$shell $name by PATH"
		done
	done
}

# As a script, each opens it, which tells that it is a file.
script() {
	local shell
	for shell in bash dash; do
		[ "$($shell "$TREE/org/repo/v1/run.sh" 1)" = "script 1" ] || fail "$shell run.sh"
		[ "$($shell "$TREE/org/repo/v1/run" 2)" = "script 2" ] || fail "$shell run"
	done
	! bash -c '"$1"' _ "$TREE/org/repo/v1/run" 2>/dev/null || fail "0444 is executed"
}

python_() {
	timeout 60 python3 - "$TREE" "$REAL" <<-'END' || fail "python"
		import os, pathlib, subprocess, sys
		tree, real = map(pathlib.Path, sys.argv[1:])
		name = pathlib.Path("org/repo/v1/model")
		want = (real / name).read_bytes()
		assert os.path.realpath(tree / name) == str(tree / name)
		assert (tree / name).resolve(strict=True) == tree / name
		assert (tree / name).read_bytes() == want
		assert (tree / name).is_file() and (tree / "org/repo/v1/x.tgz").is_file()
		assert not (tree / "org/repo/v1/none").exists()
		assert os.access(tree / name, os.R_OK) and not os.access(tree / name, os.X_OK)
		out = subprocess.run(["sh", "./run", "5"], cwd=tree / "org/repo/v1", capture_output=True, text=True)
		assert out.stdout == "script 5\n", out
		seen = {os.path.relpath(os.path.join(at, f), tree) for at, _, fs in os.walk(tree) for f in fs}
		assert seen == {"org/repo/v1/model", "org/repo/v1/x.tgz", "org/repo/v1/run"}, seen
		assert {p.name for p in (tree / "org/repo/v1").iterdir()} == {"model", "x.tgz", "run"}
	END
}

run_matrix cd_ ls_ completion find_ script exec_ python_
