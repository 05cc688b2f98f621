#!/bin/bash
# oci: images as skopeo pushes them, of both kinds of manifest, and of the kind that is not supported; indexes by
# platform; an artifact of ten thousand files.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
need_root
need_fuse
need_program docker-registry skopeo openssl jq python3

export HOME=$WORK/home
mkdir "$HOME"
start_registry plain compatibility: '  schema1:' '    enabled: true'
PUSH=http://127.0.0.1:$REGISTRY_PORT
HOST=${PUSH#http://}
{
	cat <<-END
		[fetch]
		retries = 0
		negative_ttl = 0
		lookup_head = none
		[oci "oci://$HOST/"]
		endpoint = $PUSH
		anonymous = yes
		list = yes
	END
	for platform in linux/amd64 linux/arm64 linux/arm/v7 linux/s390x; do
		printf '[oci "oci://%s/%s"]\nendpoint = %s\nanonymous = yes\nplatform = %s\n' "$HOST" \
			"for/${platform//\//-}" "$PUSH" "$platform"
	done
} >"$CONFIG"

# The layout of an image for a platform, with one layer: image ARCHITECTURE VARIANT
image() {
	python3 - "$WORK/image-$1$2" "$1" "$2" <<-'END'
		import gzip, hashlib, io, json, os, sys, tarfile
		where, architecture, variant = sys.argv[1:]
		os.makedirs(where + "/blobs/sha256")
		def put(data, kind):
		    digest = hashlib.sha256(data).hexdigest()
		    with open(f"{where}/blobs/sha256/{digest}", "wb") as f:
		        f.write(data)
		    return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}
		tar = io.BytesIO()
		with tarfile.open(fileobj=tar, mode="w") as t:
		    text = (architecture + variant + "\n").encode()
		    info = tarfile.TarInfo("platform")
		    info.size = len(text)
		    t.addfile(info, io.BytesIO(text))
		layer = put(gzip.compress(tar.getvalue(), mtime=0), "layer.v1.tar+gzip")
		with open(where + ".layer", "w") as f:
		    f.write(layer["digest"])
		config = {"os": "linux", "architecture": architecture, "config": {},
		          "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar.getvalue()).hexdigest()]},
		          "history": [{"created_by": "test"}]}
		if variant:
		    config["variant"] = variant
		manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		                           "config": put(json.dumps(config).encode(), "config.v1+json"),
		                           "layers": [layer]}).encode(), "manifest.v1+json")
		with open(where + ".manifest", "w") as f:
		    json.dump(manifest, f)
		with open(where + "/oci-layout", "w") as f:
		    f.write('{"imageLayoutVersion": "1.0.0"}')
		manifest["annotations"] = {"org.opencontainers.image.ref.name": "x"}
		with open(where + "/index.json", "w") as f:
		    json.dump({"schemaVersion": 2, "manifests": [manifest]}, f)
	END
}
copy() {
	timeout 100 skopeo --insecure-policy copy --dest-tls-verify=false --src-tls-verify=false "$@" >>"$LOGS/skopeo" 2>&1 ||
		fail "skopeo $*"
}
get() {
	timeout 100 "${fetchfs[@]}" cat "$1" 2>>"$WORK/words"
}
# The platform in a layer.
platform_in() {
	get "$1/$(layer_of "$1")" | tar -xzO platform
}
# The name of the only file that there is.
layer_of() {
	local text
	text=$("${fetchfs[@]}" cat "$1" 2>&1) && return 1
	[[ $text == *"which there is: "*" (1 in all)" ]] || fail "$text"
	text=${text#*which there is: }
	printf '%s' "${text% (1 in all)}"
}

say "an image, as OCI and as Docker have it"
image amd64 ""
copy "oci:$WORK/image-amd64:x" "docker://$HOST/app:oci"
copy --format v2s2 "oci:$WORK/image-amd64:x" "docker://$HOST/app:docker"
for tag in oci docker; do
	[ "$(layer_of "oci://$HOST/app:$tag")" = "$(<"$WORK/image-amd64.layer")" ] || fail "$tag: $(layer_of "oci://$HOST/app:$tag")"
	[ "$(platform_in "oci://$HOST/app:$tag")" = amd64 ] || fail "$tag"
done
skopeo inspect --tls-verify=false --raw "docker://$HOST/app:docker" | grep -q 'distribution.manifest.v2' || fail "no image of Docker's"

say "one of schema 1 is refused"
copy --format v2s1 "oci:$WORK/image-amd64:x" "docker://$HOST/app:old"
expect_failure 1 'schema 1, which is not supported' "${fetchfs[@]}" cat "oci://$HOST/app:old/x"

say "an index, by platform"
for platform in arm64: arm:v7 arm:v6; do
	image "${platform%:*}" "${platform#*:}"
done
for kind in oci.image.index.v1 docker.distribution.manifest.list.v2; do
	for platform in amd64: arm64: arm:v6 arm:v7; do
		file=$WORK/image-${platform/:/}
		jq --arg a "${platform%:*}" --arg v "${platform#*:}" \
			'.platform = ({os: "linux", architecture: $a} + if $v == "" then {} else {variant: $v} end)' \
			"$file.manifest"
	done | jq -s --arg t "application/vnd.$kind+json" '{schemaVersion: 2, mediaType: $t, manifests: .}' >"$WORK/index"
	for name in linux-amd64 linux-arm64 linux-arm-v7 linux-s390x; do
		for platform in amd64: arm64: arm:v7 arm:v6; do
			copy "oci:$WORK/image-${platform/:/}:x" "docker://$HOST/for/$name:${platform/:/}"
		done
		digest=$(push_json "for/$name" "$kind" "application/vnd.$kind+json" "$WORK/index")
	done
	[ "$(platform_in "oci://$HOST/for/linux-amd64:$kind")" = amd64 ] || fail "$kind: amd64"
	[ "$(platform_in "oci://$HOST/for/linux-arm64:$kind")" = arm64 ] || fail "$kind: arm64"
	[ "$(platform_in "oci://$HOST/for/linux-arm-v7:$kind")" = armv7 ] || fail "$kind: arm/v7"
	[ "$(platform_in "oci://$HOST/for/linux-arm64@$digest")" = arm64 ] || fail "$kind: by digest"
	expect_failure 1 'nothing for linux/s390x, but for linux/amd64, linux/arm64, linux/arm/v6, linux/arm/v7:' \
		"${fetchfs[@]}" cat "oci://$HOST/for/linux-s390x:$kind/x"
done

say "ten thousand files in one manifest"
random_file 3K "$WORK/one" one
random_file 4K "$WORK/last" last
for i in {1..9999}; do
	printf 'dir %d/file %05d.bin\t%s\n' $((i / 1000)) "$i" "$WORK/one"
done >"$WORK/list"
printf 'z ü\t%s\n' "$WORK/last" >>"$WORK/list"
PUSH_OPTIONS="--list $WORK/list" push many v1 >/dev/null
start_mount
M=$MNT/oci/$HOST/many:v1
[ "$(find "$M/" -type f -printf '%f\n' | sort -u | wc -l)" -eq 10000 ] || fail "not all are listed"
[ "$(find "$M/dir%209/" -type f | wc -l)" -eq 1000 ] || fail "dir 9"
cmp "$M/dir%203/file%2003456.bin" "$WORK/one" || fail "file 3456 differs"
cmp "$M/z ü" "$WORK/last" || fail "z ü differs"
stop_mount
