# shellcheck shell=bash disable=SC2034,SC2154 # variables are for the tests
# Sourced after lib.sh by the tests of oci: Debian's docker-registry, and what is in it.

# start_registry NAME [LINE…]: one more that serves the folder $WORK/registry, at 127.0.0.1:$REGISTRY_PORT, with
# more lines in its configuration. Whoever may not push there may elsewhere: all have the same files.
start_registry() {
	local name=$1
	shift
	need_program docker-registry python3
	REGISTRY_PORT=$(free_port)
	mkdir -p "$WORK/registry"
	{
		cat <<-END
			version: 0.1
			log:
			  accesslog:
			    disabled: false
			  level: info
			storage:
			  filesystem:
			    rootdirectory: $WORK/registry
			  delete:
			    enabled: true
		END
		printf '%s\n' "$@"
		grep -q '^http:' <<<"$(printf '%s\n' "$@")" || printf 'http:\n'
		printf '  addr: 127.0.0.1:%s\n' "$REGISTRY_PORT"
	} >"$WORK/registry-$name.yml"
	OTEL_TRACES_EXPORTER=none docker-registry serve "$WORK/registry-$name.yml" >"$WORK/registry-$name.log" 2>&1 &
	REGISTRY_PID=$!
	children+=("$REGISTRY_PID")
	wait_for 20 listening "$REGISTRY_PORT" || fail "docker-registry does not start"
}

# The lines of TLS, by the certificate of make_ca; the last of start_registry.
registry_tls() {
	printf 'http:\n  tls:\n    certificate: %s\n    key: %s\n' "$WORK/tls/server.pem" "$WORK/tls/server.key"
}

# push REPO REFERENCE [TITLE=FILE | =FILE]…: an artifact by way of $PUSH, http://host:port; without a title a
# layer has none. Prints the manifest's digest. ($PUSH_OPTIONS: for ocipush.py.)
push() {
	# shellcheck disable=SC2086
	timeout 300 python3 "$FETCHFS_SOURCE/tests/support/ocipush.py" ${PUSH_OPTIONS-} "$PUSH" "$@"
}

# push_json REPO REFERENCE TYPE FILE: a manifest as it is.
push_json() {
	timeout 60 python3 "$FETCHFS_SOURCE/tests/support/ocipush.py" --manifest "$4" --type "$3" "$PUSH" "$1" "$2"
}

# start_token_server [OPTION…]: of tests/support/tokenserver.py, at http(s)://localhost:$TOKEN_PORT/token; its log
# is $TOKEN_LOG. $TOKEN_LINES is for the registry that believes it.
start_token_server() {
	TOKEN_PORT=$(free_port)
	TOKEN_LOG=$LOGS/tokens
	: >"$TOKEN_LOG"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=fetchfs tokens" \
		-keyout "$WORK/tls/token.key" -out "$WORK/tls/token.pem" 2>>"$LOGS/openssl"
	timeout 900 python3 "$FETCHFS_SOURCE/tests/support/tokenserver.py" --port "$TOKEN_PORT" --log "$TOKEN_LOG" \
		--key "$WORK/tls/token.key" --cert "$WORK/tls/token.pem" "$@" >"$LOGS/token-server" 2>&1 &
	children+=($!)
	wait_for 20 listening "$TOKEN_PORT" || fail "the token server does not start"
}

# token_lines SCHEME: the lines for start_registry.
token_lines() {
	printf 'auth:\n  token:\n    realm: %s://localhost:%s/token\n    service: files\n    issuer: fetchfs\n' \
		"$1" "$TOKEN_PORT"
	printf '    rootcertbundle: %s\n' "$WORK/tls/token.pem"
}

# A path, percent-encoded as one in a URI has to be.
uri_of() {
	python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe="/"))' "$1"
}
