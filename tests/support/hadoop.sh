# shellcheck shell=bash disable=SC2034,SC2154 # variables are for the tests, and of lib.sh
# Hadoop's own HDFS, and its own client, for the tests of tests/registry. Sourced after lib.sh.

# The jars that tests/support/hadoop.xml names are in $jars, brought from their registry when they are not
# there yet. $java runs what is in them.
need_hadoop() {
	need_program java javac mvn
	local kept=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/fetchfs-tests pom version
	pom=$FETCHFS_SOURCE/tests/support/hadoop.xml
	version=$(sha256 "$pom" | cut -c1-12)
	jars=$kept/hadoop-$version
	mkdir -p "$kept"
	exec {hadoop_lock}>"$kept/lock"
	flock -w 900 $hadoop_lock || skip "another test does not finish to bring its server"
	[ -d "$jars" ] || download_hadoop "$pom" "$jars" >"$LOGS/hadoop-install" 2>&1 || {
		tail -n 5 "$LOGS/hadoop-install"
		skip "HADOOP IS NOT TO BE HAD: its registry is out of reach"
	}
	exec {hadoop_lock}>&-
	java=(java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn)
	for name in java.lang java.lang.reflect java.util java.net java.io; do
		java+=("--add-opens=java.base/$name=ALL-UNNAMED")
	done
}

# download_hadoop POM DIR: whole or not at all
download_hadoop() {
	rm -rf "$2.part"
	mkdir "$2.part"
	timeout 800 mvn -B -C -q -f "$1" -Dmaven.repo.local="$2.part/m2" \
		dependency:copy-dependencies -DoutputDirectory="$2.part/jars" >&2 &&
		mv "$2.part/jars" "$2" && rm -rf "$2.part" && return
	rm -rf "$2.part"
	return 1
}

# start_hdfs [NAME=VALUE…]: $NN0 and $NN1 are the HTTP addresses of its namenodes, of which the first
# serves; $HDFS_CONF has Hadoop's files for it. Its superuser is who runs the test.
start_hdfs() {
	local line
	HDFS_CONF=$WORK/hdfs/conf
	mkdir -p "$WORK/hdfs" "$WORK/classes" "$WORK/hdfs-tmp"
	javac -cp "$jars/*" -d "$WORK/classes" "$FETCHFS_SOURCE/tests/support/MiniHdfs.java" \
		>"$LOGS/javac" 2>&1 || fail "$(<"$LOGS/javac")"
	mkfifo "$WORK/hdfs-in" "$WORK/hdfs-out"
	TZ=UTC "${java[@]}" -Djava.io.tmpdir="$WORK/hdfs-tmp" -cp "$WORK/classes:$jars/*" MiniHdfs \
		"$WORK/hdfs" "$@" <"$WORK/hdfs-in" >"$WORK/hdfs-out" 2>"$LOGS/hdfs" &
	HDFS_PID=$!
	children+=("$HDFS_PID")
	exec {hdfs_in}>"$WORK/hdfs-in" {hdfs_out}<"$WORK/hdfs-out"
	read -r -t 240 -u $hdfs_out line || fail "HDFS does not start"
	[ "$line" = ok ] || fail "HDFS: $line"
	NN0=$(hdfs_setting dfs.namenode.http-address.prod.nn1)
	NN1=$(hdfs_setting dfs.namenode.http-address.prod.nn2)
}

# Its servers speak https, too, certified by $CA, when start_hdfs gets ${HDFS_TLS[@]}.
make_hdfs_tls() {
	local value
	make_ca
	mkdir -p "$WORK/classes"
	openssl pkcs12 -export -in "$WORK/tls/server.pem" -inkey "$WORK/tls/server.key" -passout pass:changeit \
		-out "$WORK/tls/server.p12" 2>>"$LOGS/openssl"
	{
		echo "<configuration>"
		for value in location="$WORK/tls/server.p12" type=PKCS12 password=changeit keypassword=changeit; do
			echo "<property><name>ssl.server.keystore.${value%%=*}</name><value>${value#*=}</value></property>"
		done
		echo "</configuration>"
	} >"$WORK/classes/ssl-server.xml"
	HDFS_TLS=(dfs.http.policy=HTTP_AND_HTTPS dfs.namenode.https-address=127.0.0.1:0
		dfs.datanode.https.address=127.0.0.1:0)
}

# The value of a name in the files that start_hdfs makes.
hdfs_setting() {
	python3 - "$HDFS_CONF" "$1" <<-'END'
		import sys, xml.etree.ElementTree as tree
		for name in ("core-site.xml", "hdfs-site.xml"):
		    for item in tree.parse(sys.argv[1] + "/" + name).iter("property"):
		        if item.findtext("name") == sys.argv[2]:
		            print(item.findtext("value"))
	END
}

# hdfs WORD…: a command of MiniHdfs.java
hdfs() {
	local IFS=$'\t' line
	echo "$*" >&"$hdfs_in"
	read -r -t 240 -u "$hdfs_out" line || fail "HDFS does not answer to: $*"
	[ "$line" = ok ] || fail "hdfs $*: $line"
}

# Of a name as it is, what means it to Hadoop's shell.
no_pattern() {
	printf %s "$1" | sed 's/[][*?{}\\]/\\&/g'
}

# webhdfs NODE PATH QUERY [OPTION…]: what it answers to a client that is not ours
webhdfs() {
	curl -s -f -L --max-time 60 "http://$1/webhdfs/v1$2?$3" "${@:4}"
}

# A program "hadoop" at $HADOOP_HOME/bin: Hadoop's own shell, with the files of $HADOOP_CONF_DIR.
make_hadoop_client() {
	mkdir -p "$HADOOP_HOME/bin"
	cat >"$HADOOP_HOME/bin/hadoop" <<-END
		#!/bin/bash
		[ "\$1" = fs ] || exit 1
		shift
		exec ${java[*]@Q} -Djava.io.tmpdir="$WORK" -cp "\$HADOOP_CONF_DIR:$jars/*" \
			org.apache.hadoop.fs.FsShell "\$@"
	END
	chmod +x "$HADOOP_HOME/bin/hadoop"
}
