/* What is said about a certificate that is refused. */
#include "backends/tls.h"

#include <criterion/criterion.h>
#include <openssl/x509_vfy.h>
#include <string.h>

Test(tls, what_to_do_about_a_certificate_is_told_by_what_is_wrong_with_it)
{
	static const struct {
		long verdict;
		const char *remedy;
	} cases[] = {
		{X509_V_OK, "name"},
		{X509_V_ERR_UNSPECIFIED, "name"},
		{X509_V_ERR_CERT_HAS_EXPIRED, "clock"},
		{X509_V_ERR_CERT_NOT_YET_VALID, "clock"},
		{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "ca_file"},
		{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "ca_file"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect(strstr(tls_remedy(cases[i].verdict), cases[i].remedy), "%s",
			tls_remedy(cases[i].verdict));
}
