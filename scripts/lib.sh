# shellcheck shell=bash disable=SC2034 # variables are for the scripts
# What the scripts of this folder share: packages, and building.

set -euo pipefail
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin # servers and apt's helpers, which a plain su does not find
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$source"

# Debian 12 names, by what they are needed for.
packages_build=(gcc libc6-dev cmake ninja-build pkgconf libfuse3-dev libcurl4-openssl-dev
	libsqlite3-dev nettle-dev libssl-dev libxxhash-dev libjansson-dev libxml2-dev libarchive-dev
	libseccomp-dev libexpat1-dev uthash-dev)
packages_run=(fuse3 ca-certificates)
packages_package=(dpkg-dev file binutils)
packages_sample=(nginx openssl)
packages_test=(libcriterion-dev libmicrohttpd-dev liburing-dev nginx vsftpd squid varnish openssl curl python3 python3-pyftpdlib attr jq
	man-db procps iproute2 libarchive-tools zip unzip bzip2 xz-utils zstd rsync bubblewrap fish zsh rclone
	runc crun xfsprogs btrfs-progs systemd munge slurmctld slurmd slurm-client docker-registry skopeo apache2-bin apache2-utils
	dpkg-dev file debootstrap)
packages_registry=(python3-venv maven default-jdk-headless)
packages_check=(clang-format clang-tidy cppcheck shellcheck binutils)
packages_bench=(libcriterion-dev libmicrohttpd-dev liburing-dev nginx curl aria2 rclone zip unzip)

note() {
	echo "==> $*" >&2
}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

# Start the script again as root, if that needs nobody at a keyboard or there is somebody.
# Returns when it cannot be done.
become_root() {
	! is_root && command -v sudo >/dev/null || return 0
	[ -t 0 ] || sudo -n true 2>/dev/null || return 0
	exec sudo --preserve-env=FETCHFS_CACHE,FETCHFS_CONFIG,http_proxy,https_proxy -- "$0" "$@"
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages NAME…: installs those that are missing.
need_packages() {
	local name missing=()
	if ! command -v dpkg-query >/dev/null; then
		note "this is not Debian; taking for granted what it calls: $*"
		return 0
	fi
	for name; do
		installed "$name" || missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	is_root || die "not root, and these packages are missing: ${missing[*]}"
	note "installing ${missing[*]}"
	install_packages "${missing[@]}"
}

# Servers are wanted as programs only: what we install starts no service, now or at boot.
install_packages() {
	local policy=/usr/sbin/policy-rc.d name ours=
	if ! [ -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		ours=$policy
		# shellcheck disable=SC2064 # the name as it is now
		trap "rm -f $ours" EXIT
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null
	[ -z "$ours" ] || rm -f "$ours"
	trap - EXIT
	for name in nginx vsftpd squid varnish munge slurmctld slurmd docker-registry; do
		[[ " $* " != *" $name "* ]] || systemctl -q disable $name 2>/dev/null || :
	done
	[[ " $* " != *" varnish "* ]] || systemctl -q disable varnishncsa 2>/dev/null || :
}

# build PRESET [CMake's cache options…]
build() {
	local preset=$1
	shift
	mkdir -p "$source/build"
	note "building the $preset preset"
	cmake --preset "$preset" "$@" >"$source/build/$preset.log" 2>&1 ||
		{ cat "$source/build/$preset.log" >&2; die "configuring failed"; }
	cmake --build --preset "$preset" -- --quiet
}
