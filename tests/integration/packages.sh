#!/bin/bash
# Debian's packages of the build that is here: they hold what they should, and in a system that has
# nothing else they install, run, and purge without a trace. (Those of `dev` depend on the sanitizers'
# libraries besides; FETCHFS_PACKED=build/package are those of scripts/package.)
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/installing.sh"
need_program cpack dpkg-deb dpkg-shlibdeps file curl

build=${FETCHFS_PACKED:-$FETCHFS_BUILD}
packages=$WORK/packages
root=$WORK/root

say "packing"
install_scripts "$build"
cpack --config "$INSTALLING/CPackConfig.cmake" -B "$packages" >"$LOGS/cpack" 2>&1 || fail "cpack fails"
wrote_nothing "$build"
rm -rf "$packages/_CPack_Packages"
mkdir "$WORK/files" "$WORK/control"
for name in fetchfs libfetchfs0 libfetchfs-dev fetchfs-doc; do
	deb=("$packages/$name"_[0-9]*.deb)
	[ ${#deb[@]} -eq 1 ] || fail "no $name among: $(ls "$packages")"
	dpkg-deb -x "${deb[0]}" "$WORK/files/$name"
	dpkg-deb -e "${deb[0]}" "$WORK/control/$name"
done

field() {
	sed -n "s/^$2: //p" "$WORK/control/$1/control"
}

# holds NAME PATHS…: every file that is no folder lies at one of these (regular expressions), and each
# of them is there.
holds() {
	local name=$1 path
	shift
	(cd "$WORK/files/$name" && find . ! -type d -printf '%P\n' | sort) >"$WORK/list"
	for path; do
		grep -Eqx "$path" "$WORK/list" || fail "$name has no $path: $(<"$WORK/list")"
	done
	! grep -Evx "$(IFS='|'; echo "$*")" "$WORK/list" || fail "that does not belong into $name"
}

say "what lies where"
pages=()
for page in "$FETCHFS_SOURCE"/docs/*.[1-9]; do
	pages+=("usr/share/man/man${page##*.}/${page##*/}\\.gz")
done
[ ${#pages[@]} -ge 3 ] || fail "where are the manual pages?"
lib='usr/lib/([a-z0-9_]+-linux-gnu/)?'
holds fetchfs usr/bin/fetchfs usr/sbin/mount.fetchfs usr/sbin/mount.fuse.fetchfs \
	usr/libexec/mesos/mesos-fetcher usr/lib/systemd/system/fetchfs@.service "${pages[@]}" \
	usr/share/bash-completion/completions/fetchfs usr/share/zsh/vendor-completions/_fetchfs \
	usr/share/fish/vendor_completions.d/fetchfs.fish
holds libfetchfs0 "${lib}libfetchfs\\.so\\.[0-9]+" "${lib}libfetchfs\\.so\\.[0-9.]+"
holds libfetchfs-dev usr/include/fetchfs.h "${lib}libfetchfs\\.a" "${lib}libfetchfs\\.so" \
	"${lib}pkgconfig/fetchfs.pc"
holds fetchfs-doc usr/share/doc/fetchfs/README.md 'usr/share/doc/fetchfs/docs/.*'
(cd "$FETCHFS_SOURCE" && find docs -type f | sort) |
	diff - <(sed -n 's,usr/share/doc/fetchfs/\(docs/\),\1,p' "$WORK/list") || fail "not all of docs/"
find "$WORK/files" ! -type l ! -perm -044 | grep . && fail "not everybody may read that"
find "$WORK/files" -type d ! -perm 755 | grep . && fail "folders of other modes"
find "$WORK/files" \( -perm /022 ! -type l \) -o ! -user "$(id -u)" | grep . && fail "anybody may write there"
for file in usr/bin/fetchfs usr/share/man/man1/fetchfs.1.gz usr/lib/systemd/system/fetchfs@.service; do
	stat -c %a "$WORK/files/fetchfs/$file"
done | tr '\n' ' ' | grep -qx '755 644 644 ' || fail "other modes"

say "what they say of themselves"
version=$("$FETCHFS" --version | grep -o '[0-9][0-9.]*[0-9]' | head -1)
for name in fetchfs libfetchfs0 libfetchfs-dev fetchfs-doc; do
	[ "$(field $name Version)" = "$version-1" ] || fail "$name is of version $(field $name Version)"
	field $name Description | grep -q '^any URI is ' || fail "$name: $(field $name Description)"
	[ "$(field $name Description | wc -m)" -le 80 ] || fail "$name: a long synopsis"
	awk 'length > 81 && /^ /' "$WORK/control/$name/control" | grep . && fail "$name: a long line"
done
[ "$(field fetchfs-doc Architecture)" = all ] || fail "documents for one architecture"
[ "$(field libfetchfs-dev Depends)" = "libfetchfs0 (= $version-1)" ] || fail "-dev goes with any library"
# Those that are loaded when they are needed, too; which other releases of Debian call otherwise.
for name in libcurl4 libssl3 libarchive13 libxml2 libsqlite3-0 libnettle8; do
	[[ " $(field fetchfs Depends)," =~ \ $name(t64)?[,\ ] ]] || fail "no $name in: $(field fetchfs Depends)"
	[[ $name != lib[csax]*[0-9] || " $(field libfetchfs0 Depends)," =~ \ $name(t64)?[,\ ] ]] ||
		fail "no $name for the library: $(field libfetchfs0 Depends)"
done

say "no path of who built them"
# Sanitizers name sources; what is built for others is built without its folder's name.
text=-I
! grep -q -- -ffile-prefix-map "$build/CMakeCache.txt" || text=
for path in "$FETCHFS_SOURCE" "$WORK"; do
	# shellcheck disable=SC2086 # an option or nothing
	! grep -rlF $text -- "$path" "$WORK/files" "$WORK/control" || fail "$path is named there"
done
grep -q '^ExecStart=/usr/bin/fetchfs mount ' \
	"$WORK/files/fetchfs/usr/lib/systemd/system/fetchfs@.service" || fail "another program in the unit"

# ---- in a system that has nothing else ----

[ "$(id -u)" -eq 0 ] || skip "installing them needs root"
need_fuse
need_program debootstrap apt-get jq
# shellcheck source=/dev/null
. /etc/os-release
# shellcheck disable=SC2016 # apt's own
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' \
	"Codename: $VERSION_CODENAME" 'Component: main' | sed -n 1p)
[ -n "$mirror" ] || skip "apt knows no archive of Debian $VERSION_CODENAME: installing is not tried"
curl -sfL -m 20 -o /dev/null "${mirror%/}/dists/$VERSION_CODENAME/Release" ||
	skip "the archive is out of reach: installing is not tried"

say "a system of Debian's smallest kind, with what they depend on"
mkdir "$root"
mount -t tmpfs -o size=1g,mode=755 tmpfs "$root" # nobody waits for a disk
mounts+=("$root")
depends=$({ field fetchfs Depends && field libfetchfs0 Depends; } |
	tr ',' '\n' | sed 's/^ *\([^ ]*\).*/\1/' | sort -u | paste -sd,)
timeout 150 unshare --pid --fork --kill-child debootstrap --variant=minbase --include="$depends" \
	"$VERSION_CODENAME" "$root" "$mirror" >"$LOGS/debootstrap" 2>&1 ||
	skip "debootstrap fails, or the archive is slow: installing is not tried: $(tail -n 1 "$LOGS/debootstrap")"

# inside COMMAND…: there, as process 1 of a machine of its own, but with this one's network
inside() {
	timeout 100 env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
		ASAN_OPTIONS="$ASAN_OPTIONS" unshare --mount --pid --fork --kill-child --root="$root" \
		--mount-proc "$@"
}

mknod -m 666 "$root/dev/fuse" c 10 229

# A service manager to be told, which notes what, and fails once where there is /run/fails.
mkdir -p "$root/run/systemd/system"
cat >"$root/usr/bin/systemctl" <<-'END'
	#!/bin/sh
	echo "$@" >>/run/told
	[ "$1" != list-units ] || echo "fetchfs@mnt.service loaded active running"
	! rm /run/fails 2>/dev/null
END
chmod 755 "$root/usr/bin/systemctl"
told() {
	cat "$root/run/told" 2>/dev/null && : >"$root/run/told"
}

# with_failure COMMAND…: the first that it tells the service manager to do is not done
with_failure() {
	: >"$root/run/fails"
	inside "$@" >"$WORK/dpkg" 2>&1 || fail "$*: $(<"$WORK/dpkg")"
	[ ! -e "$root/run/fails" ] || fail "$*: nobody was told anything"
	[ "$(inside dpkg --audit)" = "" ] || fail "$*: $(inside dpkg --audit)"
}

# All there is, but what dpkg notes of its own work, and the linker's and the manual's caches.
everything() {
	(cd "$root" && find . -xdev ! -path './proc*' ! -path './var/lib/dpkg/*' ! -path './var/log/*' \
		! -path './var/cache/ldconfig*' ! -path './dev*' ! -path ./run/told | sort)
}
everything >"$WORK/before"

say "they install, whatever the service manager says"
mkdir "$root/debs"
mount --bind "$packages" "$root/debs"
with_failure sh -c 'dpkg -i /debs/*.deb'
umount "$root/debs"
rmdir "$root/debs"
[ "$(told)" = "daemon-reload" ] || fail "nobody is told of the unit"

say "the program fetches, mounts by mount(8), and unpacks"
start_origin
random_file 300K "$ORIGINROOT/a.bin"
tar -C "$ORIGINROOT" -czf "$ORIGINROOT/a.tar.gz" a.bin
inside fetchfs --version >"$WORK/out" || fail "it does not start"
inside fetchfs fetch "$ORIGIN/a.bin" || fail "it does not fetch"
cat >"$WORK/look" <<-END
	set -e
	mount -t fetchfs fetchfs /mnt
	cat "/mnt/uri/$(escape "$ORIGIN/a.bin")"
	cat "/mnt/${ORIGIN/:\//}/a.tar.gz.unpacked/a.bin"
	fetchfs unmount /mnt
END
inside sh -s <"$WORK/look" >"$WORK/out" || fail "it does not mount"
cat "$ORIGINROOT/a.bin" "$ORIGINROOT/a.bin" | cmp - "$WORK/out" || fail "other bytes"
settle_origin
[ "$(origin_requests GET /a.bin)" -eq 1 ] || fail "the mount has another cache"
inside ldconfig -p >"$WORK/linked"
grep -q 'libfetchfs\.so\.0 ' "$WORK/linked" || fail "the linker does not know the library"

say "they go: units are stopped, or named, what they have left stays until it is purged"
wants=$root/etc/systemd/system/multi-user.target.wants
mkdir -p "$wants"
ln -s /usr/lib/systemd/system/fetchfs@.service "$wants/fetchfs@mnt.service"
names=(fetchfs libfetchfs0 libfetchfs-dev fetchfs-doc)
with_failure dpkg -r "${names[@]}"
grep -A 1 '^fetchfs: not stopped' "$WORK/dpkg" | grep -q '^fetchfs@mnt\.service' || fail "it says $(<"$WORK/dpkg")"
told | head -n 1 | grep -qx 'stop fetchfs@\*\.service' || fail "units go on"
[ -d "$root/var/cache/fetchfs" ] || fail "the cache is gone with the program"
with_failure dpkg -P "${names[@]}"
[ "$(told)" = "daemon-reload" ] || fail "nobody is told that there is no unit"
everything | diff "$WORK/before" - || fail "that is left, or missing"

say "of a cache behind a link, the link is purged"
mkdir "$root/srv/cache"
: >"$root/srv/cache/file"
ln -s /srv/cache "$root/var/cache/fetchfs"
inside sh -s purge <"$WORK/control/fetchfs/postrm" || fail "postrm"
[ ! -L "$root/var/cache/fetchfs" ] || fail "the link is still there"
[ -e "$root/srv/cache/file" ] || fail "what is behind it is gone"
