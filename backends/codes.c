#include "backends/codes.h"

#include "backends/easy.h"
#include "backends/limits.h"
#include "backends/tls.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	CURLcode code;
	int error;
	enum err_kind kind;
	bool retry;
} translations[] = {
	{CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, ERR_NETWORK, true},
	{CURLE_COULDNT_CONNECT, EHOSTUNREACH, ERR_NETWORK, true},
	{CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, ERR_NETWORK, true},
	{CURLE_SSL_CACERT_BADFILE, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_CONNECT_ERROR, EHOSTUNREACH, ERR_NETWORK, true},
	{CURLE_SSL_CERTPROBLEM, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_ISSUER_ERROR, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_INVALIDCERTSTATUS, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_URL_MALFORMAT, EINVAL, ERR_USAGE, false},
	{CURLE_UNSUPPORTED_PROTOCOL, EBADMSG, ERR_REMOTE, false}, /* HTTP/0.9: no status line */
	{CURLE_WEIRD_SERVER_REPLY, EBADMSG, ERR_REMOTE, false},
	{CURLE_FTP_WEIRD_PASS_REPLY, EBADMSG, ERR_REMOTE, false},
	{CURLE_FTP_WEIRD_PASV_REPLY, EBADMSG, ERR_REMOTE, false},
	{CURLE_FTP_WEIRD_227_FORMAT, EBADMSG, ERR_REMOTE, false},
	{CURLE_USE_SSL_FAILED, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_LOGIN_DENIED, EACCES, ERR_REMOTE, false},
	{CURLE_REMOTE_FILE_NOT_FOUND, ENOENT, ERR_REMOTE, false},
	{CURLE_REMOTE_ACCESS_DENIED, ENOENT, ERR_REMOTE, false}, /* a folder on the way */
	{CURLE_FTP_COULDNT_USE_REST, EOPNOTSUPP, ERR_REMOTE, false},
	{CURLE_BAD_DOWNLOAD_RESUME, EOPNOTSUPP, ERR_REMOTE, false},
	{CURLE_RANGE_ERROR, EOPNOTSUPP, ERR_REMOTE, false},
};

/* What curl says, in our style: one line, the first word in lower case unless it is a name. */
static void curl_text(const struct transfer *transfer, CURLcode code, char *ret, size_t size)
{
	const char *text = transfer->text;
	size_t len;

	/* some of its texts repeat the proxy as it was given, with the password */
	if (!*text || strchr(text, '@'))
		text = curl_easy_strerror(code);

	snprintf(ret, size, "%s", text);
	if (isupper((unsigned char)ret[0]) && !isupper((unsigned char)ret[1]))
		ret[0] = (char)tolower((unsigned char)ret[0]);
	ret[strcspn(ret, "\r\n")] = '\0';
	len = strlen(ret);
	while (len > 0 && (ret[len - 1] == '.' || ret[len - 1] == ' '))
		ret[--len] = '\0';
}

/* The connection to the proxy, or what was said on it before the origin's turn, failed. */
static bool is_proxys(const struct transfer *transfer, CURLcode code)
{
	const struct transfer_request *request = transfer->request;
	bool relayed = str_has_prefix(request->proxy, "http") &&
		       !str_has_suffix(request->uri->scheme, "s"); /* no tunnel: it answers */

	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PROXY:
		return true;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return !transfer->asked || (relayed && !transfer->answered);
	default:
		return false;
	}
}

/* A SOCKS proxy did its part, and says that the origin cannot be reached. */
static bool is_beyond_proxy(const struct transfer *transfer)
{
	long reply = CURLPX_OK;

	curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_ERROR, &reply);
	return reply == CURLPX_REPLY_CONNECTION_REFUSED || reply == CURLPX_REPLY_HOST_UNREACHABLE ||
	       reply == CURLPX_REPLY_NETWORK_UNREACHABLE || reply == CURLPX_REPLY_TTL_EXPIRED;
}

/* Fill @ret and answer true if it was the proxy's fault, or nobody can tell whose. */
static bool translate_proxy(
	const struct transfer *transfer, CURLcode code, const char *text, struct err *ret)
{
	long status = 0;

	if (!transfer->request->proxy)
		return false;
	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	if (!transfer->asked && status >= 300) {
		bool forbidden = status == 403 || status == 407;

		err_set(ret, ERR_PROXY, forbidden ? EACCES : EHOSTUNREACH,
			"the proxy refused to connect: %ld", status);
		ret->retry = !forbidden;
		return true;
	}
	if (!is_proxys(transfer, code))
		return false;
	err_set_retry(ret, is_beyond_proxy(transfer) ? ERR_NETWORK : ERR_PROXY, EHOSTUNREACH, 0,
		"by way of the proxy: %s", text);
	return true;
}

static const char *behind(const char *text, const char *prefix)
{
	return str_has_prefix(text, prefix) ? text + strlen(prefix) : text;
}

/* Whose certificate nobody vouches for is not who he says he is, however often he is asked. It is
 * not that nobody is there: another way, or an old copy, may do all the same. */
static void refuse_certificate(const struct transfer *transfer, const char *text, struct err *ret)
{
	long verdict = 0;
	bool proxys;

	curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &verdict);
	proxys = transfer->request->proxy && verdict != 0;
	if (!proxys)
		curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	err_set(ret, proxys ? ERR_PROXY : ERR_NETWORK, EACCES,
		"the certificate of the %s is not trusted: %s (%s)", proxys ? "proxy" : "server",
		behind(behind(text, "SSL certificate problem: "), "SSL: "), tls_remedy(verdict));
}

/* What answers, and not a proxy on the way there, speaks something else. */
static bool lacks_tls(const struct transfer *transfer, CURLcode code, const char *text)
{
	const char *proxy = transfer->request->proxy;

	return code == CURLE_SSL_CONNECT_ERROR && strstr(text, "wrong version number") &&
	       !(proxy && str_has_prefix(proxy, "https:"));
}

static void refuse_plain(const struct transfer *transfer, struct err *ret)
{
	const char *instead = transfer->request->without_tls;

	err_set(ret, ERR_NETWORK, EHOSTUNREACH, "what answers speaks no TLS%s%s",
		instead ? ": " : "", instead ? instead : "");
}

/* Whether an FTP server's last words may be the reason. */
static bool is_the_servers(int code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_URL_MALFORMAT:
		return false;
	default:
		return true;
	}
}

void codes_translate(const struct transfer *transfer, int code, struct err *ret)
{
	char text[CURL_ERROR_SIZE];

	if (code == CURLE_OUT_OF_MEMORY && transfer->asked && !transfer->answered) {
		/* the way in which curl refuses a header that has no end */
		err_set(ret, ERR_REMOTE, EBADMSG, "the headers are too long for curl");
		return;
	}
	if (code == CURLE_OUT_OF_MEMORY) {
		err_oom(ret);
		return;
	}
	if (code == CURLE_PARTIAL_FILE && transfer->length >= 0) {
		err_set_retry(ret, ERR_NETWORK, EIO, 0,
			"body shorter than promised: %llu of %lld bytes",
			(unsigned long long)transfer->received, (long long)transfer->length);
		return;
	}
	if (code == CURLE_OPERATION_TIMEDOUT && !transfer->asked && transfer->talk.reply != 421) {
		limits_no_connection(transfer, ret);
		return;
	}
	if (!easy_speaks_http(transfer) && is_the_servers(code) &&
		ftp_talk_judge(&transfer->talk, ret) < 0)
		return;
	curl_text(transfer, (CURLcode)code, text, sizeof(text));
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		refuse_certificate(transfer, text, ret);
		return;
	}
	if (lacks_tls(transfer, (CURLcode)code, text)) {
		refuse_plain(transfer, ret);
		return;
	}
	if (translate_proxy(transfer, (CURLcode)code, text, ret))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(translations); i++)
		if ((int)translations[i].code == code) {
			err_set(ret, translations[i].kind, translations[i].error, "%s", text);
			ret->retry = translations[i].retry;
			return;
		}
	/* whatever else curl knows happened to a connection that stood */
	err_set_retry(ret, ERR_NETWORK, EIO, 0, "%s", text);
}
