#include "tests/support/tls.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void tls_make(struct tls *tls)
{
	CLEANUP(str_freep) char *log = NULL;
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	tls->dir = tmpdir_make();
	tls->cert = str_printf("%s/cert.pem", tls->dir);
	tls->key = str_printf("%s/key.pem", tls->dir);
	log = str_printf("%s/openssl.log", tls->dir);

	const char *const argv[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
		"-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", tls->key, "-out",
		tls->cert, NULL};

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT, 0644);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ) ||
		waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "openssl made no certificate\n");
		abort();
	}
	posix_spawn_file_actions_destroy(&actions);
}

void tls_release(struct tls *tls)
{
	tmpdir_remove(tls->dir);
	free(tls->cert);
	free(tls->key);
}
