/*
 * A backend brings bytes from elsewhere. It knows no cache, no policy and no user.
 *
 * Each is a const table of operations for some schemes, found through registry.h. Operations
 * (but begin()) block the calling thread, may be called from any number of threads at once, hold no
 * lock while they call back, never retry (fetch/ does), never log and never print. How a URI is
 * turned into requests is theirs alone; the connection, redirects and timeouts of everything that
 * libcurl speaks are transfer.h's.
 */
#ifndef FETCHFS_BACKENDS_BACKEND_H
#define FETCHFS_BACKENDS_BACKEND_H

#include "base/err.h"
#include "base/uri.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SIZE_UNKNOWN INT64_C(-1)
#define TIME_UNKNOWN INT64_C(-1)
#define ETAG_MAX     256
#define MIME_MAX     64

/*
 * What tells one version of a remote file from another. @etag is as the server wrote it, with
 * quotes and a W/ if it is weak, or "" (file: made from mtime, size and inode; ftp: from MDTM and
 * size). A version is "strong" when ranges of it may be put together: a strong ETag.
 */
struct validators {
	char etag[ETAG_MAX];
	int64_t modified; /* Last-Modified, seconds since 1970, or TIME_UNKNOWN */
};

/* What the origin says of a file, before or without its bytes. */
struct remote {
	int64_t size; /* of the whole file in bytes, or SIZE_UNKNOWN */
	struct validators validators;
	bool ranges;         /* a part of it can be asked for */
	bool unchanged;      /* it is still the version of backend_request.known; nothing follows */
	bool world_readable; /* file only: anybody on this machine may read the source */
	int64_t max_age; /* seconds it stays fresh from now, or TIME_UNKNOWN: the origin is silent
			  */
	bool must_ask;   /* stale, it may not even stand in while the origin is down */
	char type[MIME_MAX];      /* "text/html", without parameters, or "" */
	struct checksum checksum; /* what the whole hashes to, as the origin says, or none */
};

/*
 * Where the bytes go. Called on the thread that called fetch(), never after it returned.
 * A callback that returns -errno ends the fetch at once with that value and its err.
 */
struct sink {
	/* Once, before any byte. With remote->unchanged nothing follows. */
	int (*begin)(struct sink *sink, const struct remote *remote, struct err *err);

	/* The next @len bytes; the first one is the byte at backend_request.offset. */
	int (*write)(struct sink *sink, const void *buf, size_t len, struct err *err);

	/* At least every 100 ms while the fetch waits: a non-zero answer ends it. */
	int (*poll)(struct sink *sink, struct err *err);

	/*
	 * NULL, or for a backend that has the whole as a file of this machine, @fd: called after
	 * begin(), before any byte. 0: the sink has taken a picture of the file, of this moment,
	 * without copying; what write() gets has to be read from *ret_fd, which is the sink's.
	 * -EOPNOTSUPP: it cannot.
	 */
	int (*clone)(struct sink *sink, int fd, int *ret_fd);

	/*
	 * Set before each write by a backend that knows: how many bytes will come whatever we say
	 * from now on, since they are on their way; and for how many milliseconds in all many have
	 * waited that this machine had not got to.
	 */
	uint64_t window;
	int64_t behind_ms;

	/* Set before begin() by a backend that follows redirects: who answers. Valid until fetch()
	 * returns. */
	const struct uri *from;

	/* Set before each poll by a backend that knows: the request is still waiting for its turn,
	 * as one of more than there may be connections. So nobody is slow. */
	bool queued;

	/*
	 * Set by the sink in write(): the first byte that it will not take, as an offset from the
	 * start of the file; 0: all are wanted. The sink ends the fetch there. A backend that can
	 * sees to it that not much more than that is sent.
	 */
	uint64_t end;
};

/* Whom a request may talk to, asked again for each redirect and each address connected to. */
struct guard {
	/* 0 or -EACCES with the reason. */
	int (*uri)(const struct guard *guard, const struct uri *uri, struct err *err);
	/* Likewise, for @address, which @uri (of this hop) led to. */
	int (*address)(const struct guard *guard, const struct uri *uri,
		const struct sockaddr *address, struct err *err);
};

enum s3_style {
	S3_STYLE_AUTO,    /* as most servers like it */
	S3_STYLE_PATH,    /* ENDPOINT/BUCKET/KEY */
	S3_STYLE_VIRTUAL, /* BUCKET.ENDPOINT/KEY */
};

/* Where keys come from that are only lent. */
enum s3_source {
	S3_SOURCE_GIVEN,        /* they are not */
	S3_SOURCE_WEB_IDENTITY, /* a URI to GET: a token service's, with the token in the query */
	S3_SOURCE_CONTAINER,    /* likewise: its metadata server's */
	S3_SOURCE_INSTANCE,     /* the metadata server, a URI that ends in '/' */
};

/* s3: where the bucket is, and who asks. All strings are the caller's; NULL: see each. */
struct access_s3 {
	const char *endpoint; /* an http(s) URI that ends in '/'; Amazon's */
	const char *region;   /* the usual one, until the server names another */
	enum s3_style style;
	bool folders;       /* a name that is no object may be a folder, which stat() looks for */
	const char *key_id; /* nobody: the request is not signed */
	const char *secret;
	const char *token; /* of a session; none */
	enum s3_source source;
	const char *source_uri;   /* with a source */
	const char *source_token; /* for "Authorization: …" there, or NULL */
};

/* hdfs: which namenodes there are, and who asks. All strings are the caller's. */
struct access_hdfs {
	const char *const
		*endpoints;   /* http(s) URIs that end in '/', NULL-terminated; NULL: by … */
	const char *conf_dir; /* … the files of Hadoop in it; NULL: by the URI's host */
	const char *user;     /* who it is, which is believed; NULL: nobody says */
	const char *token;    /* a delegation token, which counts instead; or NULL */
};

/* oci: where the registry is, what of it is wanted, and who asks. All strings are the caller's;
 * NULL: see each. */
struct access_oci {
	const char *endpoint; /* an http(s) URI that ends in '/'; https at the URI's host */
	const char *platform; /* "linux/arm64", "linux/arm/v7"; this machine's */
	const char *user;     /* nobody, or who the others say */
	const char *password;
	const char *identity;    /* a token, for which token servers give others */
	const char *helper;      /* docker-credential-… is asked, with … */
	const char *server;      /* … this */
	const char *client_cert; /* PEM, with its key; none */
};

/*
 * What opens a door: credentials and headers for the URIs below one prefix. They go to no other
 * URI, whatever a redirect says. All strings are the caller's; NULL: none.
 */
struct access {
	const char *prefix; /* canonical; uri_is_below() it, and the rest is sent */
	const char *user;   /* wins over netrc; userinfo in the URI wins over both */
	const char *password;
	const char *bearer;             /* a token: "Authorization: Bearer …" */
	const char *netrc;              /* a file, in which the host is looked up */
	const char *client_cert;        /* PEM, with its key */
	const char *const *headers;     /* "Name: value", NULL-terminated */
	const struct access_s3 *s3;     /* for s3 only, which has nothing of the above */
	const struct access_hdfs *hdfs; /* likewise */
	const struct access_oci *oci;   /* likewise */
};

/*
 * One name in a folder: @segment is the last one of its URI in canonical form, without a slash.
 * -errno, with its err, ends the listing with that value.
 */
typedef int backend_visit(const char *segment, bool is_folder, void *arg, struct err *err);

struct backend_call; /* what begin() has begun */
struct user;         /* base/user.h */

struct backend_request {
	const struct uri *uri;
	uint64_t offset; /* the first byte wanted */
	uint64_t length; /* how many, 0: to the end. Needs a backend whose remote.ranges was true */

	/*
	 * A version known from before, or NULL. For a whole file (offset and length 0) the origin
	 * may answer "unchanged". For a range it must be this version: anything else is -ESTALE.
	 */
	const struct validators *known;

	const struct guard *guard; /* NULL: anybody */

	const struct access *access; /* or NULL */

	/* With whose rights files of this machine are opened; NULL: this process's. Not in list().
	 */
	const struct user *user;

	/*
	 * "http://host:port", https, socks5h …, with userinfo if it has to be; or NULL: directly,
	 * whatever the environment says. With a proxy guard->address() is not asked: the address
	 * is the proxy's, which the operator chose. ERR_PROXY is the kind of what went wrong with
	 * it. ftp over an HTTP proxy: the proxy speaks ftp, and http is spoken with it.
	 */
	const char *proxy;
	bool ftp_active; /* see struct transfer_request (ftp, ftps) */
	bool ftp_tls;
	bool own_connection; /* not a stream beside others: it is there to be faster (https) */
	bool no_cache; /* caches on the way shall ask the origin: what they had was bad (http) */

	/* For stat(), as struct sink has it for fetch(): asked at least every 100 ms, ends it by a
	 * non-zero answer. NULL: never. For begin(): asked, on another thread, as long as the
	 * request waits for its turn; by a non-zero answer on_ready is called at once. */
	int (*poll)(void *arg, struct err *err);
	void *poll_arg;

	/*
	 * For begin(): called once, on another thread, which it must not keep waiting, perhaps
	 * before begin() returns. @whole: finish() will not wait for anybody. It is called soon
	 * (a tenth of a second or so after the request had its turn), however silent the origin.
	 */
	void (*on_ready)(void *arg, bool whole);
	void *ready_arg;
};

/* What all requests of one program share; set up by registry_open(). */
struct backend_env {
	struct transfers *transfers;
	struct s3_regions *s3_regions;
	struct webhdfs_active *webhdfs_active;
	struct hadoop_client *hadoop;
	struct s3_wallet *s3_wallet;
	struct oci_memory *oci_memory;
	const char *ca_file; /* PEM, or NULL: the system's */
	/*
	 * Limits, each of which ends the request with ETIMEDOUT. Waiting for one of the
	 * connections that are allowed, or for the sink, counts against none of them. How long it
	 * may take in all is the caller's to decide, by poll.
	 */
	unsigned int connect_ms;    /* to a connection that requests can be sent on: DNS, TLS */
	unsigned int first_byte_ms; /* from there to the first byte of the answer */
	unsigned int stall_ms;      /* fewer than stall_rate bytes a second came in so long */
	uint64_t stall_rate;        /* at least 1 */
};

/*
 * Errors of all operations are those of docs/errors.md: -ENOENT, -EACCES, -EHOSTUNREACH,
 * -ETIMEDOUT, -EIO (broken body, 5xx), -EBADMSG (impossible answer), -ESTALE (not the known
 * version), -EISDIR (the origin says that it is a folder), and whatever the sink returned.
 */
struct backend {
	const char *name;
	const char *const *schemes; /* NULL-terminated */

	/* What the origin says, without the body. -EOPNOTSUPP: only fetch() can tell. */
	int (*stat)(const struct backend_env *env, const struct backend_request *request,
		struct remote *ret, struct err *err);

	/* A request for a part ends by itself, and its connection serves the next one. */
	bool cheap_parts;

	/* Bring the bytes. 0 only when every byte that was promised has been written to @sink. */
	int (*fetch)(const struct backend_env *env, const struct backend_request *request,
		struct sink *sink, struct err *err);

	/*
	 * NULL: what fetch() brings is always of the version that it told of. Else it is asked for
	 * by its name, which may be another file's by then, or is written to meanwhile: this looks
	 * again, once all is here. 0: it is still @told, as far as the server can tell; -ESTALE.
	 */
	int (*confirm)(const struct backend_env *env, const struct backend_request *request,
		const struct remote *told, struct err *err);

	/*
	 * The names in the folder @request->uri, whose path ends in a slash; perhaps some twice,
	 * and in no order. *ret: what the origin says of the listing. -ENOTDIR: it is none. NULL:
	 * this backend cannot list.
	 */
	int (*list)(const struct backend_env *env, const struct backend_request *request,
		struct remote *ret, backend_visit *visit, void *arg, struct err *err);

	/*
	 * The two parts of fetch(), for who has no thread to wait with; NULL: there is only the
	 * whole. begin() sends the request, which must live until finish() has returned. That has
	 * to follow, once on_ready has been called, and brings the bytes; for those that are not
	 * here yet it waits like fetch().
	 */
	int (*begin)(const struct backend_env *env, const struct backend_request *request,
		struct backend_call **ret, struct err *err);
	int (*finish)(struct backend_call *call, struct sink *sink, struct err *err);
};

#endif
