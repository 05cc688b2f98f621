/* The request, as curl wants it. */
#include "backends/easy.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE   (128L * 1024)
#define QUEUE_WAIT_MS (24L * 3600 * 1000) /* for a connection of the pool */

bool easy_speaks_http(const struct transfer *transfer)
{
	return str_has_prefix(transfer->request->uri->scheme, "http") ||
	       transfer_is_proxied_ftp(transfer->request->uri, transfer->request->proxy);
}

static void set_limits(CURL *easy, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, QUEUE_WAIT_MS);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUEUE_WAIT_MS / 1000);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (request->env->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->env->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* these and no others */
	}
}

/* Neither proxy variables nor exceptions of theirs count. */
static void set_proxy(CURL *easy, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* not the origin's answer */
	if (request->env->ca_file) {
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, request->env->ca_file);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	}
}

static void set_range(CURL *easy, const struct transfer_request *request)
{
	char range[48];

	if (request->length > 0) {
		snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)request->offset,
			(unsigned long long)(request->offset + request->length - 1));
		curl_easy_setopt(easy, CURLOPT_RANGE, range);
	} else if (request->offset > 0) {
		curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)request->offset);
	}
}

/* What goes with this request; NULL: nothing of it is for this place. */
static const struct access *access_of(const struct transfer_request *request)
{
	const struct access *access = request->access;

	return access && uri_is_below(access->prefix, request->uri->text) ? access : NULL;
}

static void set_access(CURL *easy, const struct transfer_request *request)
{
	const struct access *access = access_of(request);
	const struct uri *uri = request->uri;
	bool has_own = uri->user || uri->password;
	const char *user = has_own || !access ? uri->user : access->user;
	const char *password = has_own || !access ? uri->password : access->password;

	if (user)
		curl_easy_setopt(easy, CURLOPT_USERNAME, user);
	if (password)
		curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
	if (access && access->netrc && !user && !password) {
		curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
		curl_easy_setopt(easy, CURLOPT_NETRC_FILE, access->netrc);
	}
	if (access && access->client_cert) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, access->client_cert);
		curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* ask nobody at a terminal */
	}
}

/* What is said to an FTP server, and how. */
static void set_ftp(CURL *easy, const struct transfer_request *request)
{
	/* a folder is entered, so that no server takes its name for options of LIST */
	curl_easy_setopt(easy, CURLOPT_FTP_FILEMETHOD,
		(long)(request->ftp == TRANSFER_FILE ? CURLFTPMETHOD_NOCWD
						     : CURLFTPMETHOD_SINGLECWD));
	curl_easy_setopt(easy, CURLOPT_FTP_SKIP_PASV_IP, 1L); /* data comes from the same host */
	if (request->ftp_tls) {
		curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
		curl_easy_setopt(easy, CURLOPT_FTPSSLAUTH, (long)CURLFTPAUTH_TLS);
	}
	if (request->ftp_active && !request->proxy) {
		curl_easy_setopt(easy, CURLOPT_FTPPORT, "-");
		curl_easy_setopt(easy, CURLOPT_ACCEPTTIMEOUT_MS, (long)request->env->first_byte_ms);
	}
}

static void set_request(CURL *easy, const struct transfer *transfer)
{
	const struct transfer_request *request = transfer->request;

	curl_easy_setopt(easy, CURLOPT_URL, request->uri->text);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	if (request->no_body)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);

	if (!easy_speaks_http(transfer)) {
		set_range(easy, request);
		set_ftp(easy, request);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "fetchfs/" FETCHFS_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->header_list);
	if (request->form)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->form);
	if (request->method)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	if (request->own_connection) {
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	if (str_equal(request->uri->scheme, "https")) /* a stream rather than a connection */
		curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
}

static int add_header(struct transfer *transfer, const char *header)
{
	struct curl_slist *longer = curl_slist_append(transfer->header_list, header);

	if (!longer)
		return -ENOMEM;
	transfer->header_list = longer;
	return 0;
}

static int add_headers(struct transfer *transfer, const char *const *header)
{
	int r = 0;

	for (; r == 0 && header && *header; header++)
		r = add_header(transfer, *header);
	return r;
}

static int add_bearer(struct transfer *transfer, const char *token)
{
	char *header = str_printf("Authorization: Bearer %s", token);
	int r = header ? add_header(transfer, header) : -ENOMEM;

	if (header)
		explicit_bzero(header, strlen(header));
	free(header);
	return r;
}

static int make_header_list(struct transfer *transfer)
{
	const struct access *access = access_of(transfer->request);
	const struct uri *uri = transfer->request->uri;
	int r = add_headers(transfer, transfer->request->headers);

	if (r == 0 && access)
		r = add_headers(transfer, access->headers);
	if (r == 0 && access && access->bearer && !uri->user && !uri->password)
		r = add_bearer(transfer, access->bearer);
	return r;
}

int easy_prepare(struct transfer *transfer)
{
	int r = make_header_list(transfer);

	if (r < 0)
		return r;
	set_limits(transfer->easy, transfer->request);
	set_proxy(transfer->easy, transfer->request);
	easy_listen(transfer);
	set_access(transfer->easy, transfer->request);
	set_request(transfer->easy, transfer);
	return 0;
}

void easy_again(struct transfer *transfer)
{
	curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, QUEUE_WAIT_MS);
	headers_clear(&transfer->headers);
	transfer->text[0] = '\0';
	transfer->interim = 0;
	transfer->leftovers = false;
	transfer->fd = -1;
	transfer->pace = (struct pace){.slot_ms = 0};
	transfer->queued = *transfer->now;
	transfer->began = 0;
	transfer->asked = 0;
}
