# shellcheck shell=bash disable=SC2034 # variables are for the tests
# Sourced after lib.sh by the tests of docs/examples: what they call fetchfs is this test's, with its cache.

EXAMPLES=$FETCHFS_SOURCE/docs/examples
mkdir "$WORK/bin"
cat >"$WORK/bin/fetchfs" <<END
#!/bin/sh
exec "$FETCHFS" --config "$CONFIG" "\$@"
END
chmod 755 "$WORK/bin/fetchfs"
PATH=$WORK/bin:$PATH
